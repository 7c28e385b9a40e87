"""Convolutions of several edges stacked into one tensor, and how each grows when the network is widened.

Blocks of `channels` output channels follow each other edge by edge. `maps(before, edges, generator)` maps the narrower module `before`
to this wider one: block j comes from block `edges[j]` (section 2.4, eq. 7 and 8).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.layers import ScaledBatchNorm
from drnas_lib.nets.widen import ChannelMap, channel_choice

Maps = dict[str, ChannelMap]


def prefixed(name: str, maps: Maps) -> Maps:
    """The maps of a submodule, by their names in its parent."""
    return {f"{name}.{leaf}": channel_map for leaf, channel_map in maps.items()}


def _weight(*shape: int) -> nn.Parameter:
    """Initialised as nn.Conv2d does; stacking leaves the fan-in as it is."""
    weight = nn.Parameter(torch.empty(shape))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    return weight


class StackedConv(nn.Module):
    """Convolutions of m edges, each with its batch normalisation: `weight` (m c, c_in, k, k)."""

    def __init__(self, edges: int, into: int, channels: int, kernel: int = 1):
        super().__init__()
        self.into, self.channels, self.kernel = into, channels, kernel
        self.weight = _weight(edges * channels, into, kernel, kernel)
        self.norm = ScaledBatchNorm(edges * channels)

    def forward(self, x: Tensor, scale: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x (B, m c_in, H, W), or (B, c_in, H, W) for all edges; scale (m c,) -> (B, m c, H, W). `generator` is for random operations."""
        groups = x.shape[1] // self.into
        return self.norm(F.conv2d(x, self.weight, padding=self.kernel // 2, groups=groups), scale)

    def maps(self, before: "StackedConv", edges: Tensor, generator: torch.Generator, into: Tensor | None = None) -> Maps:
        """`into` (m, c_in) are the input channels where the convolution in front determines them; without it they are drawn."""
        out = channel_choice(len(edges), before.channels, self.channels, generator)
        if into is None:
            into = channel_choice(len(edges), before.into, self.into, generator)
        of_channels = ChannelMap(edges, out, before.channels)
        statistics = {f"norm.{name}": of_channels for name in ("running_mean", "running_var")}
        return {"weight": ChannelMap(edges, out, before.channels, into)} | statistics


class StackedDepthwise(nn.Module):
    """Depthwise convolutions of m edges: `weight` (m c, 1, k, k)."""

    def __init__(self, edges: int, channels: int, kernel: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.channels, self.stride, self.dilation = channels, stride, dilation
        self.padding = dilation * (kernel // 2)
        self.weight = _weight(edges * channels, 1, kernel, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """(B, m c, H, W) -> (B, m c, H / stride, W / stride)."""
        return F.conv2d(x, self.weight, None, self.stride, self.padding, self.dilation, groups=len(self.weight))

    def maps(self, before: "StackedDepthwise", edges: Tensor, generator: torch.Generator) -> Maps:
        out = channel_choice(len(edges), before.channels, self.channels, generator)
        return {"weight": ChannelMap(edges, out, before.channels)}
