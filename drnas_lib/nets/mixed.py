"""The weights of the mixed operations: of all edges that leave one node together.

The edges see the same input, so the convolutions of one kind are one convolution with the kernels of all edges stacked. An operation that
the mask drops has no weights here and is never computed.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from drnas_lib.nets.blocks import Blocks
from drnas_lib.nets.channel_map import ChannelMap, channel_choice
from drnas_lib.nets.source_sum import Edges
from drnas_lib.nets.statistics import MOMENTUM

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # ReLU, convolution, normalisation: an output of its own for every edge
STATISTICS = ("running_mean", "running_var")


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


class MixedSource(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels.

    `mask` (n, O) names the kept operations, in the order of `operations`. `edges` says where they are.
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

    def weights(self) -> list[Tensor | None]:
        """Of the 1x1 and of the 3x3 convolution, None where every edge dropped it."""
        return [self.convolutions[name].weight if name in self.convolutions else None for name in KERNELS]

    def running(self) -> list[Tensor | None]:
        """Mean and variance of the one, then of the other."""
        return [getattr(self.convolutions[name], of) if name in self.convolutions else None for name in KERNELS for of in STATISTICS]

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


@torch.no_grad()
def remember(sources: Iterable[MixedSource], used: Sequence[Tensor | None], count: int) -> None:
    """Move the running statistics of `sources` towards a batch's, the variance unbiased as in PyTorch's batch normalisation.

    `used` holds four for each source, in the order of `running`; `count` is the number of pixels that they span.
    """
    running = [value for source in sources for value in source.running()]
    for start, factor in enumerate((1.0, count / (count - 1))):  # means, variances
        pairs = [(own, now) for own, now in zip(running[start::2], used[start::2]) if own is not None]
        own, now = [own for own, _ in pairs], [now.to(own.dtype) for own, now in pairs]
        if own:
            torch._foreach_lerp_(own, torch._foreach_mul(now, factor), MOMENTUM)
