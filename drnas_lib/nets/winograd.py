"""3x3 convolutions with a quarter of the multiplications (Lavin & Gray 2016, F(4x4, 3x3)), forward and backward.

A row of four outputs y of a filter w on six inputs x is A^T [(G w) * (B^T x)], six products instead of twelve, and a tile of 4x4 outputs
the same along both sides. The 36 products of all tiles are matrix products. The derivative by x is a convolution of the same kind; that by
w is G^T [sum (A dy A^T) * (B^T x B)] G. On a CPU this is the quicker way where there are many channels; its rounding errors are of the size
of the direct way's. Images are (B, H, W, c), H and W multiples of 4.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.polynomial.polynomial import polyfromroots, polyvander
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from drnas_lib.nets.compiled import call, constant, operator, serves

POINTS = np.array([0, 2 / 3, -2 / 3, 3 / 2, -3 / 2])  # of interpolation, beside infinity: of those tried the least rounding
OUTPUTS, TAPS, INPUTS = 4, 3, 6
FEWEST = 32  # channels of input and of output, from which on it is the quicker way, with the transforms compiled; measured
CHANNELS = 96  # of both together, from which on that by the weights is quicker with PyTorch's operators; measured
WIDTH = 32  # channels that the compiled transforms take at once, at most


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether all of a convolution of x (B, H, W, c) with `weight` (m, c, 3, 3) is quicker this way."""
    m, c = weight.shape[:2]
    return _divides(x) and min(m, c) >= FEWEST and m % WIDTH == c % WIDTH == 0 and serves(x, weight)


def pays_by_weight(grad: Tensor, x: Tensor) -> bool:
    """Whether only the derivative by the weights is, grad (B, H, W, m) by x (B, H, W, c): on a CPU, with many channels."""
    plain = x.device.type == "cpu" and x.dtype == grad.dtype and x.dtype in (torch.float32, torch.float64)
    return plain and _divides(x) and x.shape[-1] + grad.shape[-1] >= CHANNELS


def _divides(x: Tensor) -> bool:
    return not (x.shape[1] % OUTPUTS or x.shape[2] % OUTPUTS)


def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """(B, H, W, m): x (B, H, W, c) convolved with `weight` (m, c, 3, 3), padded by 1; where `pays` says so."""
    _, _, g = transforms(x.dtype, x.device)
    return _in_tiles(x, g @ weight.permute(2, 3, 1, 0).reshape(TAPS**2, -1), len(weight))


def input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    """(B, H, W, c): that of `convolve` by x, from the gradient of its output (B, H, W, m); where `pays` says so."""
    _, _, g = transforms(grad.dtype, grad.device)
    return _in_tiles(grad, g.flip(1) @ weight.permute(2, 3, 0, 1).reshape(TAPS**2, -1), weight.shape[1])


def _in_tiles(x: Tensor, kernels: Tensor, channels: int) -> Tensor:
    """x (B, H, W, c) convolved with transformed `kernels` (36, c channels)."""
    a, b, _ = transforms(x.dtype, x.device)
    return convolve_in_tiles(x, kernels.view(INPUTS**2, -1, channels), b, a.T.contiguous())


@operator("convolve_in_tiles(Tensor x, Tensor kernels, Tensor there, Tensor back) -> Tensor")
def convolve_in_tiles(x: Tensor, kernels: Tensor, there: Tensor, back: Tensor) -> Tensor:
    """(B, H, W, m) of x (B, H, W, c) and `kernels` (36, c, m): windows by `there` (6, 6), products, 4x4 blocks by `back` (4, 6)."""
    m = kernels.shape[2]
    out, work = x.new_empty(*x.shape[:3], m), x.new_empty(torch.get_num_threads(), constant("work_of_convolve"))
    call("convolve", x.dtype, there, back, *x.shape, m, x, kernels, out, work)
    return out


@register_flop_formula(torch.ops.drnas_lib.convolve_in_tiles)
def _flops(x: tuple[int, ...], kernels: tuple[int, ...], *_, **__) -> int:
    """Of the products, two for each multiplication."""
    return 2 * x[0] * (x[1] // OUTPUTS) * (x[2] // OUTPUTS) * kernels[0] * kernels[1] * kernels[2]


@operator("spread(Tensor images, Tensor matrix) -> Tensor")
def spread(images: Tensor, matrix: Tensor) -> Tensor:
    """(36, tiles, c): `matrix` (6, k) along both sides of each tile of `images` (B, H, W, c), k = 4 or, with a margin of 1 around it, 6."""
    B, H, W, c = images.shape
    out = images.new_empty(INPUTS**2, B * (H // OUTPUTS) * (W // OUTPUTS), c)
    call("spread", images.dtype, matrix.shape[1] == INPUTS, matrix, B, H, W, c, images, out)
    return out


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """(m, c, 3, 3): that of a convolution padded by 1, from the gradient of its output (B, H, W, m) and its input (B, H, W, c)."""
    a, b, g = transforms(x.dtype, x.device)
    m, c = grad.shape[-1], x.shape[-1]
    if m % WIDTH == c % WIDTH == 0 and serves(grad, x):
        products = torch.bmm(spread(grad, a).transpose(1, 2), spread(x, b))
    else:
        products = torch.bmm(_both(a, _blocks(grad)).view(INPUTS**2, -1, m).transpose(1, 2), _both(b, _windows(x)).view(INPUTS**2, -1, c))
    return (g.T @ products.view(INPUTS**2, -1)).view(TAPS, TAPS, m, c).permute(2, 3, 0, 1).contiguous()


def _blocks(images: Tensor) -> Tensor:
    """The 4x4 blocks of `images` (B, H, W, c): (4, 4, B, H/4, W/4, c)."""
    B, H, W, c = images.shape
    return images.view(B, H // OUTPUTS, OUTPUTS, W // OUTPUTS, OUTPUTS, c).permute(2, 4, 0, 1, 3, 5)


def _windows(images: Tensor) -> Tensor:
    """The same with a margin of 1 around each: (6, 6, B, H/4, W/4, c)."""
    return F.pad(images, (0, 0, 1, 1, 1, 1)).unfold(1, INPUTS, OUTPUTS).unfold(2, INPUTS, OUTPUTS).permute(4, 5, 0, 1, 2, 3)


def _both(matrix: Tensor, tiles: Tensor) -> Tensor:
    """`matrix` (6, k) along both sides of `tiles` (k, k, ...): (6, 6, ...).

    Several small products at once, because one small matrix by a very wide one is slow.
    """
    k = len(tiles)
    first = torch.bmm(matrix.expand(k, *matrix.shape), tiles.transpose(0, 1).reshape(k, k, -1))  # k (columns), 6, ...
    return torch.bmm(matrix.expand(INPUTS, *matrix.shape), first.transpose(0, 1)).view(INPUTS, INPUTS, -1)


@lru_cache(maxsize=8)
def transforms(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """A (6, 4), B^T (6, 6) and G along both sides (36, 9): constants, made once.

    Toom and Cook: polynomials are multiplied by their values at the points, the last point being infinity, where a polynomial's value is
    its highest coefficient. B^T is the transposed interpolation, from the polynomials that are zero at all points but one.
    """
    others = [np.delete(POINTS, i) for i in range(len(POINTS))]
    a = np.vstack([polyvander(POINTS, OUTPUTS - 1), np.eye(OUTPUTS)[-1]])
    b = np.vstack([*([*polyfromroots(rest), 0] for rest in others), polyfromroots(POINTS)])
    weights = np.array([np.prod(point - rest) for point, rest in zip(POINTS, others)])
    g = np.vstack([polyvander(POINTS, TAPS - 1) / weights[:, None], np.eye(TAPS)[-1]])
    return tuple(torch.tensor(np.ascontiguousarray(matrix), dtype=dtype, device=device) for matrix in (a, b, np.kron(g, g)))
