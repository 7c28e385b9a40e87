"""Modules for several edges at once: blocks of `channels` output channels follow each other edge by edge.

In a convolution the kernels of all edges are stacked. Stacking leaves the fan-in, and so PyTorch's initialisation, as it is.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from drnas_lib.nets.layers import ScaledBatchNorm


class StackedConv(nn.Conv2d):
    """Convolutions of m edges, each with its batch normalisation: `weight` (m c, c_in, k, k). `grouped`: each edge has its own input."""

    def __init__(self, edges: int, into: int, channels: int, kernel: int = 1, grouped: bool = False):
        groups = edges if grouped else 1
        super().__init__(groups * into, edges * channels, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.into, self.channels = into, channels
        self.norm = ScaledBatchNorm(edges * channels)

    def forward(self, x: Tensor, scale: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x (B, c_in, H, W), or (B, m c_in, H, W) if grouped; scale (m c,) -> (B, m c, H, W). `generator` is for random operations."""
        return self.norm(super().forward(x), scale)


class StackedDepthwise(nn.Conv2d):
    """Depthwise convolutions of m edges: `weight` (m c, 1, k, k)."""

    def __init__(self, edges: int, channels: int, kernel: int, stride: int = 1, dilation: int = 1):
        width, padding = edges * channels, dilation * (kernel // 2)
        super().__init__(width, width, kernel, stride, padding, dilation, groups=width, bias=False)
        self.channels = channels


class Pool(nn.Module):
    """A 3x3 pooling and its normalisation: the edges that leave one node have the same statistics, so they share them."""

    def __init__(self, channels: int, stride: int, pool: Callable[..., Tensor]):
        super().__init__()
        self.channels, self.stride, self.pool = channels, stride, pool
        self.norm = ScaledBatchNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c, H, W) -> (B, c, H', W')."""
        return self.norm(self.pool(x, stride=self.stride))
