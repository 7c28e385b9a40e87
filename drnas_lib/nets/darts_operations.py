"""The operations of the DARTS space, each for all the edges that leave one node and keep it: what they have in common is computed once.

`STACKED[name](channels, edges, stride)` has an output of its own for every edge, already weighted by theta; `SHARED[name](channels,
stride)` gives all edges the same tensor. Batch normalisations learn nothing.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.channel_map import ChannelMap, channel_choice
from drnas_lib.nets.stacked import Maps, StackedDepthwise, StackedPointwise
from drnas_lib.nets.statistics import WHOLE, WholeBatch


def under(name: str, maps: Maps) -> Maps:
    return {f"{name}.{leaf}": way for leaf, way in maps.items()}


class SeparableConv(nn.Module):
    """ReLU, depthwise, pointwise, normalisation, twice; the stride is in the first half."""

    reads_active = True

    def __init__(self, channels: int, edges: int, stride: int, kernel: int):
        super().__init__()
        self.edges = edges
        self.depthwise1 = StackedDepthwise(edges, channels, kernel, stride)
        self.pointwise1 = StackedPointwise(edges, channels, channels)
        self.depthwise2 = StackedDepthwise(edges, channels, kernel)
        self.pointwise2 = StackedPointwise(edges, channels, channels)

    def forward(self, x: Tensor, theta: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W) after the ReLU, theta (m,) -> (B, m, c, H', W')."""
        y = self.pointwise1(self.depthwise1(x.repeat(1, self.edges, 1, 1)))
        return self.pointwise2(self.depthwise2(F.relu(y.flatten(1, 2))), theta)

    def maps(self, before: "SeparableConv", edges: Tensor, generator: torch.Generator) -> Maps:
        """Within a half, the pointwise input follows the depthwise output; the halves draw independently."""
        found = {}
        for half in ("1", "2"):
            spatial, across = f"depthwise{half}", f"pointwise{half}"
            of_spatial = self.get_submodule(spatial).maps(before.get_submodule(spatial), edges, generator)
            of_across = self.get_submodule(across).maps(before.get_submodule(across), edges, generator, of_spatial["weight"].out)
            found |= under(spatial, of_spatial) | under(across, of_across)
        return found


class DilatedConv(nn.Module):
    """ReLU, depthwise with dilation 2, pointwise, normalisation."""

    reads_active = True

    def __init__(self, channels: int, edges: int, stride: int, kernel: int):
        super().__init__()
        self.edges = edges
        self.depthwise = StackedDepthwise(edges, channels, kernel, stride, dilation=2)
        self.pointwise = StackedPointwise(edges, channels, channels)

    def forward(self, x: Tensor, theta: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W) after the ReLU, theta (m,) -> (B, m, c, H', W')."""
        return self.pointwise(self.depthwise(x.repeat(1, self.edges, 1, 1)), theta)

    def maps(self, before: "DilatedConv", edges: Tensor, generator: torch.Generator) -> Maps:
        spatial = self.depthwise.maps(before.depthwise, edges, generator)
        across = self.pointwise.maps(before.pointwise, edges, generator, spatial["weight"].out)
        return under("depthwise", spatial) | under("pointwise", across)


class Reduce(nn.Module):
    """The skip connection at stride 2: two 1x1 convolutions, one on the even pixels and one on the odd, side by side."""

    reads_active = True

    def __init__(self, channels: int, edges: int, stride: int):
        super().__init__()
        self.even = StackedPointwise(edges, channels, channels // 2)
        self.odd = StackedPointwise(edges, channels, channels - channels // 2)

    def forward(self, x: Tensor, theta: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (B, c, H, W) after the ReLU, theta (m,) -> (B, m, c, H/2, W/2)."""
        return torch.cat([self.even(x[:, :, ::2, ::2], theta), self.odd(x[:, :, 1::2, 1::2], theta)], 2)

    def maps(self, before: "Reduce", edges: Tensor, generator: torch.Generator) -> Maps:
        """The two halves are widened separately; statistics stay with their channel."""
        even = self.even.maps(before.even, edges, generator)
        return under("even", even) | under("odd", self.odd.maps(before.odd, edges, generator))


class Noise(nn.Module):
    """Standard normal numbers, new ones in every pass, in evaluation too."""

    reads_active = False

    def __init__(self, channels: int, edges: int, stride: int):
        super().__init__()
        self.edges, self.stride = edges, stride

    def forward(self, x: Tensor, theta: Tensor, generator: torch.Generator | None) -> Tensor:
        B, c, H, W = x.shape
        shape = B, self.edges, c, -(-H // self.stride), -(-W // self.stride)
        return theta.view(-1, 1, 1, 1) * torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)

    def maps(self, before: "Noise", edges: Tensor, generator: torch.Generator) -> Maps:
        return {}


class Pool(nn.Module):
    """A 3x3 pooling and its normalisation: edges that leave one node see the same statistics, so they share them."""

    batch: WholeBatch = WHOLE

    def __init__(self, channels: int, stride: int, kind: str):
        super().__init__()
        self.channels = channels
        self.pool = POOLS[kind](stride)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, c, H, W) -> (B, c, H', W')."""
        return self.batch.norm(self.pool(x), self.running_mean, self.running_var, self.training)

    def maps(self, before: "Pool", edges: Tensor, generator: torch.Generator) -> Maps:
        way = ChannelMap(torch.zeros(1, dtype=torch.long), channel_choice(1, before.channels, self.channels, generator), before.channels)
        return {"running_mean": way, "running_var": way}


class Identity(nn.Identity):
    def maps(self, before: "Identity", edges: Tensor, generator: torch.Generator) -> Maps:
        return {}


POOLS = {
    "max": lambda stride: partial(F.max_pool2d, kernel_size=3, stride=stride, padding=1),
    "avg": lambda stride: partial(F.avg_pool2d, kernel_size=3, stride=stride, padding=1, count_include_pad=False),
}
SHARED = {
    "max_pool_3x3": partial(Pool, kind="max"),
    "avg_pool_3x3": partial(Pool, kind="avg"),
}
STACKED = {
    "sep_conv_3x3": partial(SeparableConv, kernel=3),
    "sep_conv_5x5": partial(SeparableConv, kernel=5),
    "dil_conv_3x3": partial(DilatedConv, kernel=3),
    "dil_conv_5x5": partial(DilatedConv, kernel=5),
    "noise": Noise,
}
BY_STRIDE = {  # (shared, stacked) operations; the skip connection is the input itself, or has weights of its own where it halves
    1: (SHARED | {"skip_connect": lambda channels, stride: Identity()}, STACKED),
    2: (SHARED, STACKED | {"skip_connect": Reduce}),
}
