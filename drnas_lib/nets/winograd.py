"""The gradient of the weights of a 3x3 convolution with a quarter of the multiplications (Lavin & Gray 2016, F(4x4, 3x3)).

A row of four outputs y of a filter w on six inputs x is A^T [(G w) * (B^T x)], six products instead of twelve, and a tile of 4x4 outputs
the same along both sides. Its derivative by w is, with the 36 products of all tiles as matrix products, G^T [sum (A dy A^T) * (B^T x B)] G.
On a CPU this is the quicker way where there are many channels; its rounding errors are of the size of the direct way's.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.polynomial.polynomial import polyfromroots, polyvander
from torch import Tensor
from torch.nn import functional as F

POINTS = np.array([0, 2 / 3, -2 / 3, 3 / 2, -3 / 2])  # of interpolation, beside infinity: of those tried the least rounding
OUTPUTS, TAPS, INPUTS = 4, 3, 6
CHANNELS = 96  # of input and output together, from which on this is the quicker way; measured


def pays(grad: Tensor, x: Tensor) -> bool:
    """Whether `weight_gradient` can be used and is the quicker way: on a CPU, H and W multiples of 4, many channels."""
    plain = x.device.type == "cpu" and x.dtype == grad.dtype and x.dtype in (torch.float32, torch.float64)
    return plain and not (x.shape[1] % OUTPUTS or x.shape[2] % OUTPUTS) and x.shape[-1] + grad.shape[-1] >= CHANNELS


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """(m, c, 3, 3) of a convolution padded by 1, from the gradient of its output (B, H, W, m) and its input (B, H, W, c).

    H and W are multiples of 4.
    """
    a, b, g = transforms(x.dtype, x.device)
    m, c = grad.shape[-1], x.shape[-1]
    rows, columns = x.shape[1] // OUTPUTS, x.shape[2] // OUTPUTS
    outputs = grad.view(-1, rows, OUTPUTS, columns, OUTPUTS, m).permute(2, 4, 0, 1, 3, 5)
    inputs = F.pad(x, (0, 0, 1, 1, 1, 1)).unfold(1, INPUTS, OUTPUTS).unfold(2, INPUTS, OUTPUTS).permute(4, 5, 0, 1, 2, 3)
    products = torch.bmm(_both(a, outputs).view(INPUTS**2, -1, m).transpose(1, 2), _both(b, inputs).view(INPUTS**2, -1, c))  # 36 m c
    return (g.T @ products.view(INPUTS**2, -1)).view(TAPS, TAPS, m, c).permute(2, 3, 1, 0).contiguous()


def _both(matrix: Tensor, tiles: Tensor) -> Tensor:
    """`matrix` (6, k) along both sides of `tiles` (k, k, ...), the second side first in the result: (6, 6, ...).

    Several small products at once, because one small matrix by a very wide one is slow.
    """
    k = len(tiles)
    second = torch.bmm(matrix.expand(k, *matrix.shape), tiles.reshape(k, k, -1))  # k 6 ...
    return torch.bmm(matrix.expand(INPUTS, *matrix.shape), second.transpose(0, 1))


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
    return tuple(torch.tensor(matrix, dtype=dtype, device=device) for matrix in (a, b, np.kron(g, g)))
