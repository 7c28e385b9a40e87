"""The operations of the DARTS supernet, each for all edges that leave one node. A new one needs a row in spaces/darts_operations.py too.

Batch normalisations have no parameters; the last one of a stacked operation is scaled by theta.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.layers import ScaledBatchNorm
from drnas_lib.nets.mixed import Identity, Operations, SharedFactory, StackedFactory, WithoutTensors
from drnas_lib.nets.stacked import Maps, StackedConv, StackedDepthwise, prefixed
from drnas_lib.nets.widen import ChannelMap, channel_choice


class DepthwiseSeparable(nn.Module):
    """Depthwise and pointwise convolution and normalisation of m edges."""

    def __init__(self, channels: int, edges: int, kernel: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.depthwise = StackedDepthwise(edges, channels, kernel, stride, dilation)
        self.pointwise = StackedConv(edges, channels, channels)

    def forward(self, x: Tensor, scale: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x (B, m c, H, W), scale (m c,) -> (B, m c, H', W')."""
        return self.pointwise(self.depthwise(x), scale)

    def maps(self, before: "DepthwiseSeparable", edges: Tensor, generator: torch.Generator) -> Maps:
        """The pointwise input follows the depthwise output."""
        spatial = self.depthwise.maps(before.depthwise, edges, generator)
        across = self.pointwise.maps(before.pointwise, edges, generator, spatial["weight"].out)
        return prefixed("depthwise", spatial) | prefixed("pointwise", across)


class SeparableConv(nn.Module):
    """Two depthwise separable convolutions with a ReLU between them; MixedEdges applies the ReLU in front; the first has the stride."""

    def __init__(self, channels: int, edges: int, stride: int, kernel: int):
        super().__init__()
        self.edges = edges
        self.first = DepthwiseSeparable(channels, edges, kernel, stride)
        self.second = DepthwiseSeparable(channels, edges, kernel)

    def forward(self, x: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H', W')."""
        return self.second(F.relu(self.first(x.repeat(1, self.edges, 1, 1))), scale)

    def maps(self, before: "SeparableConv", edges: Tensor, generator: torch.Generator) -> Maps:
        """The halves draw independently."""
        first = self.first.maps(before.first, edges, generator)
        return prefixed("first", first) | prefixed("second", self.second.maps(before.second, edges, generator))


class DilatedConv(DepthwiseSeparable):
    """One depthwise separable convolution with dilation 2; MixedEdges applies the ReLU in front."""

    def __init__(self, channels: int, edges: int, stride: int, kernel: int):
        super().__init__(channels, edges, kernel, stride, dilation=2)
        self.edges = edges

    def forward(self, x: Tensor, scale: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H', W')."""
        return super().forward(x.repeat(1, self.edges, 1, 1), scale)


class Reduce(nn.Module):
    """The skip connection at stride 2: two 1x1 convolutions, one on the even pixels and one on the odd, side by side."""

    def __init__(self, channels: int, edges: int, stride: int):
        super().__init__()
        self.edges, self.halves = edges, (channels // 2, channels - channels // 2)
        self.even, self.odd = (StackedConv(edges, channels, half) for half in self.halves)

    def forward(self, x: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H/2, W/2)."""
        of_even, of_odd = (part.reshape(-1) for part in scale.view(self.edges, -1).split(self.halves, 1))
        even, odd = self.even(x[:, :, ::2, ::2], of_even), self.odd(x[:, :, 1::2, 1::2], of_odd)
        by_edge = [half.unflatten(1, (self.edges, -1)) for half in (even, odd)]  # B m c/2 H/2 W/2
        return torch.cat(by_edge, 2).flatten(1, 2)

    def maps(self, before: "Reduce", edges: Tensor, generator: torch.Generator) -> Maps:
        """The two halves are widened separately; statistics stay with their channel."""
        even = self.even.maps(before.even, edges, generator)
        return prefixed("even", even) | prefixed("odd", self.odd.maps(before.odd, edges, generator))


class Noise(WithoutTensors):
    """Standard normal numbers, new ones in every pass, in evaluation too."""

    def __init__(self, channels: int, edges: int, stride: int):
        super().__init__()
        self.edges, self.stride = edges, stride

    def forward(self, x: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H', W')."""
        B, c, H, W = x.shape
        shape = B, self.edges * c, -(-H // self.stride), -(-W // self.stride)
        return scale[:, None, None] * torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)


class Pool(nn.Module):
    """A 3x3 pooling and its normalisation: the edges that leave one node have the same statistics, so they share them."""

    def __init__(self, channels: int, stride: int, pool: Callable[..., Tensor]):
        super().__init__()
        self.channels, self.stride, self.pool = channels, stride, pool
        self.norm = ScaledBatchNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, c, H, W) -> (B, c, H', W')."""
        return self.norm(self.pool(x, stride=self.stride))

    def maps(self, before: "Pool", edges: Tensor, generator: torch.Generator) -> Maps:
        out = channel_choice(1, before.channels, self.channels, generator)
        of_channels = ChannelMap(torch.zeros(1, dtype=torch.long), out, before.channels)
        return {"norm.running_mean": of_channels, "norm.running_var": of_channels}


SHARED: dict[str, SharedFactory] = {
    "max_pool_3x3": partial(Pool, pool=partial(F.max_pool2d, kernel_size=3, padding=1)),
    "avg_pool_3x3": partial(Pool, pool=partial(F.avg_pool2d, kernel_size=3, padding=1, count_include_pad=False)),
}
STACKED: dict[str, StackedFactory] = {
    "sep_conv_3x3": partial(SeparableConv, kernel=3),
    "sep_conv_5x5": partial(SeparableConv, kernel=5),
    "dil_conv_3x3": partial(DilatedConv, kernel=3),
    "dil_conv_5x5": partial(DilatedConv, kernel=5),
    "noise": Noise,
}
BY_STRIDE = {  # the skip connection is the identity at stride 1 and has weights at stride 2
    1: Operations(STACKED, SHARED | {"skip_connect": lambda channels, stride: Identity()}),
    2: Operations(STACKED | {"skip_connect": Reduce}, SHARED),
}
