"""The operations of both supernets, each for all edges that leave one node. docs/new_space.md says what else a new one needs.

MixedEdges applies the ReLU in front. Batch normalisations have no parameters; the last one of a stacked operation is scaled by theta.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.layers import avg_pool_3x3
from drnas_lib.nets.mixed import Operations, SharedFactory, StackedFactory
from drnas_lib.nets.stacked import Pool, StackedConv, StackedDepthwise


class DepthwiseSeparable(nn.Module):
    """Depthwise and pointwise convolution and normalisation of m edges. `shared`: all edges have the same input."""

    def __init__(self, channels: int, edges: int, stride: int, kernel: int, dilation: int = 1, shared: bool = True):
        super().__init__()
        self.repeats = edges if shared else None
        self.depthwise = StackedDepthwise(edges, channels, kernel, stride, dilation)
        self.pointwise = StackedConv(edges, channels, channels, grouped=True)

    def forward(self, x: Tensor, scale: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """x (B, m c, H, W), or (B, c, H, W) if shared; scale (m c,) -> (B, m c, H', W')."""
        each = x if self.repeats is None else x.repeat(1, self.repeats, 1, 1)
        return self.pointwise(self.depthwise(each), scale)


class SeparableConv(nn.Module):
    """Two depthwise separable convolutions with a ReLU between them; the first has the stride."""

    def __init__(self, channels: int, edges: int, stride: int, kernel: int):
        super().__init__()
        self.first = DepthwiseSeparable(channels, edges, stride, kernel)
        self.second = DepthwiseSeparable(channels, edges, 1, kernel, shared=False)

    def forward(self, x: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H', W')."""
        return self.second(F.relu(self.first(x)), scale)


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


class Noise(nn.Module):
    """Standard normal numbers, new ones in every pass, in evaluation too."""

    def __init__(self, channels: int, edges: int, stride: int):
        super().__init__()
        self.edges, self.stride = edges, stride

    def forward(self, x: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W), scale (m c,) -> (B, m c, H', W')."""
        B, c, H, W = x.shape
        shape = B, self.edges * c, -(-H // self.stride), -(-W // self.stride)
        return scale[:, None, None] * torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)


class AveragePool(nn.Module):
    """The average pooling of NAS-Bench-201."""

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool_3x3(x)


NB201 = Operations(
    stacked={
        "nor_conv_1x1": lambda channels, edges, stride: StackedConv(edges, channels, channels, kernel=1),
        "nor_conv_3x3": lambda channels, edges, stride: StackedConv(edges, channels, channels, kernel=3),
    },
    shared={
        "skip_connect": lambda channels, stride: nn.Identity(),
        "avg_pool_3x3": lambda channels, stride: AveragePool(),
    },
)
SHARED: dict[str, SharedFactory] = {
    "max_pool_3x3": partial(Pool, pool=partial(F.max_pool2d, kernel_size=3, padding=1)),
    "avg_pool_3x3": partial(Pool, pool=partial(F.avg_pool2d, kernel_size=3, padding=1, count_include_pad=False)),
}
STACKED: dict[str, StackedFactory] = {
    "sep_conv_3x3": partial(SeparableConv, kernel=3),
    "sep_conv_5x5": partial(SeparableConv, kernel=5),
    "dil_conv_3x3": partial(DepthwiseSeparable, kernel=3, dilation=2),
    "dil_conv_5x5": partial(DepthwiseSeparable, kernel=5, dilation=2),
    "noise": Noise,
}
DARTS = {  # by stride; the skip connection is the identity at stride 1 and has weights at stride 2
    1: Operations(STACKED, SHARED | {"skip_connect": lambda channels, stride: nn.Identity()}),
    2: Operations(STACKED | {"skip_connect": Reduce}, SHARED),
}
