"""Average pooling 3x3 at stride 1, and its adjoint, in the ways that are quick on a CPU: the built-in pooling takes several times as long.

The window is a product of two windows of three, and so is the number of pixels it really covers, border included. On small images: two
products with a banded matrix P, whose row i averages i-1, i, i+1 inside the image, along the height and along the width. On large ones,
where a band is mostly zeros: a depthwise convolution by 1/9, and a factor of 3/2 for each border that a pixel lies on.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

LARGE = 32  # pixels a side from which on the convolution is the quicker one, measured


def avg_pool_3x3(x: Tensor) -> Tensor:
    """The mean over each 3x3 window inside the image of x (B, H, W, C). The result is contiguous."""
    return _border_(_ninths(x)) if _large(x) else _banded(x, False)


def avg_pool_3x3_adjoint_(grad: Tensor) -> Tensor:
    """From the gradient of the pooling (B, H, W, C) to that of its input; `grad` is overwritten. The result is contiguous."""
    return _ninths(_border_(grad)) if _large(grad) else _banded(grad, True)


def _large(x: Tensor) -> bool:
    return min(x.shape[1:3]) >= LARGE


@lru_cache(maxsize=64)
def band(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """P (size, size): row i holds 1/2 or 1/3 at the neighbours of i that exist, 1 for a single pixel. A constant, so made once."""
    position = torch.arange(size, device=device)
    near = ((position[:, None] - position[None, :]).abs() <= 1).to(dtype)
    return near / near.sum(1, keepdim=True)


def _banded(x: Tensor, adjoint: bool) -> Tensor:
    B, H, W, C = x.shape
    rows, columns = (band(size, x.dtype, x.device) for size in (H, W))
    if adjoint:
        rows, columns = rows.T, columns.T
    # bmm reads the one matrix for every image; matmul would copy it for each.
    down = torch.bmm(rows.expand(B, H, H), x.reshape(B, H, W * C))
    return torch.bmm(columns.expand(B * H, W, W), down.view(B * H, W, C)).view(B, H, W, C)


@lru_cache(maxsize=64)
def ninth(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant kernel (C, 1, 3, 3), made once."""
    return torch.full((channels, 1, 3, 3), 1 / 9, dtype=dtype, device=device)


def _ninths(x: Tensor) -> Tensor:
    """A ninth of the sum over each window; symmetric, so its own adjoint."""
    C = x.shape[-1]
    return F.conv2d(x.permute(0, 3, 1, 2), ninth(C, x.dtype, x.device), padding=1, groups=C).permute(0, 2, 3, 1).contiguous()


def _border_(x: Tensor) -> Tensor:
    """Multiply the pixels of each border by 3/2, in place: six neighbours count there, and four in the corners, where others have nine."""
    for side in (x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]):
        side.mul_(1.5)
    return x
