"""All edges that leave one node of a cell, computed together.

The edges see the same input, so its ReLU and its pooling are computed once, the convolutions of one kind are one convolution with
the kernels of all edges stacked, and the mixing weights ride on the normalisation (mixed_sum.py). An operation that the mask drops
has no weights here and is never computed. Without sharing, this is eq. 1 of the paper, edge by edge.
"""

import math

import torch
from torch import Tensor, nn

from drnas_lib.nets.blocks import Blocks
from drnas_lib.nets.channel_map import ChannelMap, channel_choice
from drnas_lib.nets.mixed_sum import Edges, MixedSum

MOMENTUM = 0.1
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # ReLU, convolution, normalisation: an output of its own for every edge


class StackedConv(nn.Module):
    """The convolutions of one kind on the edges at `positions`: `weight` (m c, c, k, k), edge by edge, and running statistics (m c,)."""

    def __init__(self, channels: int, kernel: int, positions: list[int]):
        super().__init__()
        width = len(positions) * channels
        self.channels = channels
        self.positions = positions
        self.weight = nn.Parameter(torch.empty(width, channels, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d; stacking leaves the fan-in as it is
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards a batch's, the variance unbiased as in PyTorch's batch normalisation."""
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), MOMENTUM)
        self.running_var.lerp_(variance.to(self.running_var.dtype) * (count / (count - 1)), MOMENTUM)


class MixedSource(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels.

    `mask` (n, O) names the kept operations, in the order of `operations`.
    """

    def __init__(self, channels: int, operations: tuple[str, ...], mask: Tensor):
        super().__init__()
        self.channels = channels
        kept = {name: tuple(mask[:, o].nonzero().flatten().tolist()) for o, name in enumerate(operations)}
        blocks = {
            name: Blocks(positions, len(mask), channels, operations.index(name)) for name, positions in kept.items() if positions
        }
        self.convolutions = nn.ModuleDict(
            {name: StackedConv(channels, kernel, list(kept[name])) for name, kernel in KERNELS.items() if name in blocks}
        )
        self.edges = Edges(len(mask), channels, *(blocks.get(name) for name in ("skip_connect", "avg_pool_3x3", *KERNELS)))

    def forward(self, x: Tensor, theta: Tensor, base: Tensor | None = None) -> Tensor:
        """x (B, c, H, W), theta (n, O), `base` what the targets have received so far -> (B, n c, H, W), target by target."""
        B, _, H, W = x.shape
        if self.edges.nothing:
            return x.new_zeros(B, self.edges.width, H, W) if base is None else base
        stacked = [self.convolutions[name] if name in self.convolutions else None for name in KERNELS]
        weights = [None if convolution is None else convolution.weight for convolution in stacked]
        running = None if self.training else tuple(value for convolution in stacked for value in _statistics(convolution))
        out, *moments = MixedSum.apply(self.edges, running, x, theta, base, *weights)
        if self.training:
            for convolution, mean, variance in zip(stacked, moments[::2], moments[1::2]):
                if convolution is not None:
                    convolution.remember(mean, variance, B * H * W)
        return out

    def grown_from(self, before: "MixedSource", generator: torch.Generator) -> dict[str, ChannelMap]:
        """Where each tensor here comes from in a narrower `before` (eq. 7 and 8); ValueError where that cannot be."""
        if self.channels < before.channels:
            raise ValueError(f"it would shrink from {before.channels} to {self.channels} channels; K can only fall")
        found = {}
        for name, convolution in self.convolutions.items():
            was = before.convolutions[name].positions if name in before.convolutions else []
            if not set(convolution.positions) <= set(was):
                raise ValueError(f"{name} was pruned on an edge and cannot come back")
            edges = torch.tensor([was.index(position) for position in convolution.positions])
            sizes = len(edges), before.channels, self.channels
            out, into = channel_choice(*sizes, generator), channel_choice(*sizes, generator)
            of_channels = ChannelMap(edges, out, before.channels)
            ways = {"weight": ChannelMap(edges, out, before.channels, into), "running_mean": of_channels, "running_var": of_channels}
            found |= {f"convolutions.{name}.{leaf}": way for leaf, way in ways.items()}
        return found


def _statistics(convolution: StackedConv | None) -> tuple[Tensor | None, Tensor | None]:
    return (None, None) if convolution is None else (convolution.running_mean, convolution.running_var)
