"""Average pooling 3x3 at stride 1 that counts only pixels inside the image.

PyTorch's own kernel serves on a GPU. On a CPU it takes ten times as long as a depthwise convolution with ones, followed by a
division by the number of pixels of each window. The sum over windows is symmetric, so it is its own adjoint.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F


def avg_pool_3x3(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W), differentiable twice."""
    if x.device.type == "cpu":
        return _WindowMeans.apply(x, False)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class _WindowMeans(torch.autograd.Function):
    """The means over windows, or with `adjoint` the transposed map."""

    @staticmethod
    def forward(ctx, x: Tensor, adjoint: bool) -> Tensor:
        ctx.adjoint = adjoint
        share = _shares(*x.shape[2:], x.dtype)
        return _window_sums(x * share) if adjoint else _window_sums(x).mul_(share)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return _WindowMeans.apply(grad, not ctx.adjoint), None


def _window_sums(x: Tensor) -> Tensor:
    C = x.shape[1]
    return torch.convolution(x, _ones(C, x.dtype), None, (1, 1), (1, 1), (1, 1), False, (0, 0), C)


@cache
def _ones(channels: int, dtype: torch.dtype) -> Tensor:
    return torch.ones(channels, 1, 3, 3, dtype=dtype)


@cache
def _shares(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """One over the number of pixels of each window, (1, 1, H, W)."""
    return _window_sums(torch.ones(1, 1, height, width, dtype=dtype)).reciprocal_()
