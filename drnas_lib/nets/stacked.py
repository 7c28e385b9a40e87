"""Convolutions of several edges stacked into one tensor, and how each grows when the network is widened.

Blocks of `channels` output channels follow each other edge by edge. `maps(before, edges, generator)` tells where every entry of a
wider successor comes from, block j from block `edges[j]` of the narrower module `before` (section 2.4, eq. 7 and 8).
"""

import math

import torch
from torch import Tensor, nn

from drnas_lib.nets.channel_map import ChannelMap, channel_choice
from drnas_lib.nets.depthwise import depthwise
from drnas_lib.nets.folded import folded_pointwise
from drnas_lib.nets.statistics import MOMENTUM, WHOLE, WholeBatch

Maps = dict[str, ChannelMap]


class StackedDepthwise(nn.Module):
    """Depthwise convolutions of m edges: `weight` (m c, 1, k, k)."""

    def __init__(self, edges: int, channels: int, kernel: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.channels, self.stride, self.dilation = channels, stride, dilation
        self.weight = nn.Parameter(torch.empty(edges * channels, 1, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d; stacking leaves the fan-in as it is

    def forward(self, x: Tensor) -> Tensor:
        """(B, m c, H, W) -> (B, m c, H / stride, W / stride)."""
        return depthwise(x, self.weight, self.stride, self.dilation)

    def maps(self, before: "StackedDepthwise", edges: Tensor, generator: torch.Generator) -> Maps:
        out = channel_choice(len(edges), before.channels, self.channels, generator)
        return {"weight": ChannelMap(edges, out, before.channels)}


class StackedPointwise(nn.Module):
    """1x1 convolutions of m edges with the normalisation behind them: `weight` (m c, c_in, 1, 1), running statistics (m c,)."""

    batch: WholeBatch = WHOLE

    def __init__(self, edges: int, into: int, channels: int):
        super().__init__()
        self.edges, self.into, self.channels = edges, into, channels
        self.weight = nn.Parameter(torch.empty(edges * channels, into, 1, 1))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.register_buffer("running_mean", torch.zeros(edges * channels))
        self.register_buffer("running_var", torch.ones(edges * channels))

    def forward(self, x: Tensor, theta: Tensor | None = None) -> Tensor:
        """x (B, m c_in, H, W), or (B, c_in, H, W) that all edges share -> theta (m,) times the normalised result, (B, m, c, H, W)."""
        B, _, H, W = x.shape
        kernel = self.weight.view(self.edges, self.channels, self.into)
        statistics = None if self.training else (self.running_mean, self.running_var)
        out, mean, variance = folded_pointwise(x.reshape(B, -1, self.into, H * W), kernel, theta, statistics, self.batch)
        if self.training:
            self._remember(mean, variance, self.batch.parts * B * H * W)
        return out.view(B, self.edges, self.channels, H, W)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards the batch's, the variance unbiased as in PyTorch's batch normalisation."""
        self.running_mean.lerp_(mean.flatten().to(self.running_mean), MOMENTUM)
        self.running_var.lerp_(variance.flatten().to(self.running_var) * (count / (count - 1)), MOMENTUM)

    def maps(self, before: "StackedPointwise", edges: Tensor, generator: torch.Generator, into: Tensor | None = None) -> Maps:
        """`into` (m, c_in) names the input channels where they follow from what is in front; else they are drawn."""
        out = channel_choice(len(edges), before.channels, self.channels, generator)
        if into is None:
            into = channel_choice(len(edges), before.into, self.into, generator)
        of_channels = ChannelMap(edges, out, before.channels)
        return {"weight": ChannelMap(edges, out, before.channels, into), "running_mean": of_channels, "running_var": of_channels}
