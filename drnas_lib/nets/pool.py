"""Average pooling 3x3 at stride 1, and its adjoint, in a way that is quick on a CPU: the built-in pooling takes several times as long.

The sum over each window is a depthwise convolution with ones; each is then divided by the number of its pixels inside the image.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets import passes
from drnas_lib.nets.compiled import serves


def avg_pool_3x3(x: Tensor) -> Tensor:
    """The mean over each 3x3 window inside the image of x (B, H, W, C). The result is contiguous."""
    if serves(x):
        return passes.avg_pool_3x3(x.contiguous())
    return _sums(x).mul_(shares(*x.shape[1:], x.dtype, x.device))


def avg_pool_3x3_adjoint_(grad: Tensor) -> Tensor:
    """From the gradient of the pooling (B, H, W, C) to that of its input; `grad` is overwritten. The result is contiguous."""
    return _sums(grad.mul_(shares(*grad.shape[1:], grad.dtype, grad.device)))


@lru_cache(maxsize=64)
def shares(height: int, width: int, channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """One over the number of pixels of each window, 9, 6 or 4 on images of some size: (H, W, C). A constant, so made once."""
    rows, columns = _inside(height, device), _inside(width, device)
    return (1 / (rows[:, None, None] * columns[:, None]).to(dtype)).repeat(1, 1, channels)


def _inside(size: int, device: torch.device) -> Tensor:
    """How many of i - 1, i, i + 1 lie inside an image, for every i: (size,)."""
    i = torch.arange(size, device=device)
    return (i + 1).clamp_max(size - 1) - (i - 1).clamp_min(0) + 1


@lru_cache(maxsize=64)
def ones(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant kernel (C, 1, 3, 3), made once."""
    return torch.ones(channels, 1, 3, 3, dtype=dtype, device=device)


def _sums(x: Tensor) -> Tensor:
    """The sum over each window; symmetric, so its own adjoint."""
    C = x.shape[-1]
    return F.conv2d(x.permute(0, 3, 1, 2), ones(C, x.dtype, x.device), padding=1, groups=C).permute(0, 2, 3, 1).contiguous()
