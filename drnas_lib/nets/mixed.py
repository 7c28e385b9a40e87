"""All edges that leave one node of a cell, computed together.

They have the same input, so its ReLU and its poolings are computed once, and the convolutions of one kind are one convolution with the
kernels of all edges stacked. An operation that the mask drops on an edge has no weights there and is not computed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.mixture import mixture
from drnas_lib.nets.stacked import prefixed
from drnas_lib.nets.widen import ChannelMap

NONE = "none"  # gives zeros: nothing to compute


@dataclass(frozen=True)
class Theta:
    """The mixing weights of one source: for each stacked operation (m c,), channel by channel; for each shared one (m, 1, 1, 1)."""

    stacked: tuple[Tensor, ...]
    shared: tuple[Tensor, ...]


StackedFactory = Callable[[int, int, int], nn.Module]  # (channels, edges, stride)
SharedFactory = Callable[[int, int], nn.Module]  # (channels, stride)


@dataclass(frozen=True)
class Operations:
    """Factories by name. `stacked`: one output for each edge; `shared`: one output for all edges."""

    stacked: Mapping[str, StackedFactory]
    shared: Mapping[str, SharedFactory]


class WithoutTensors(nn.Module):
    """An operation without weights and statistics, in which nothing grows."""

    def maps(self, before: nn.Module, edges: Tensor, generator: torch.Generator) -> dict[str, ChannelMap]:
        return {}


class Identity(WithoutTensors):
    """The skip connection."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class MixedEdges(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels at `stride`.

    `mask` (n, O) as nested lists marks the kept operations, in the order of `names`. Raises ValueError for an operation without a factory.
    """

    def __init__(self, operations: Operations, channels: int, names: tuple[str, ...], mask: list[list[bool]], stride: int = 1):
        super().__init__()
        if unknown := set(names) - {NONE, *operations.shared, *operations.stacked}:
            raise ValueError(f"no supernet has {', '.join(sorted(unknown))} yet: add it to the table of operations of its space in nets/")
        self.channels, self.edges, self.stride = channels, len(mask), stride
        kept = {name: tuple(e for e, row in enumerate(mask) if row[o]) for o, name in enumerate(names)}
        self.positions = {name: edges for name, edges in kept.items() if edges and name != NONE}
        self.stacked = nn.ModuleDict(
            {name: operations.stacked[name](channels, len(e), stride) for name, e in self.positions.items() if name in operations.stacked}
        )
        self.shared = nn.ModuleDict(
            {name: operations.shared[name](channels, stride) for name in self.positions if name in operations.shared}
        )

    def forward(self, x: Tensor, theta: Theta, received: Tensor | None = None, drop: Tensor | None = None, generator=None) -> Tensor:
        """x (B, c, H, W), plus the sums `received` by the target nodes so far, -> (B, n c, H', W'), target by target.

        `drop` is the drop path probability, on the device: each image drops each edge independently.
        """
        active = F.relu(x) if self.stacked else x
        stacked = [
            (operation(active, scale, generator), self.positions[name])
            for (name, operation), scale in zip(self.stacked.items(), theta.stacked)
        ]
        shared = [(operation(x), weight, self.positions[name]) for (name, operation), weight in zip(self.shared.items(), theta.shared)]
        if not stacked and not shared:
            return self._zeros(x) if received is None else received
        if drop is None:
            return mixture(self.edges, received, stacked, shared)
        mixed = mixture(self.edges, None, stacked, shared).unflatten(1, (self.edges, -1))  # B n c H' W'
        survives = torch.rand(len(x), self.edges, 1, 1, 1, generator=generator, device=x.device) >= drop
        kept = (mixed * (survives / (1 - drop)).to(x.dtype)).flatten(1, 2)
        return kept if received is None else received + kept

    def _zeros(self, x: Tensor) -> Tensor:
        B, c, H, W = x.shape
        return x.new_zeros(B, self.edges * c, -(-H // self.stride), -(-W // self.stride))

    def grown_from(self, before: "MixedEdges", generator: torch.Generator) -> dict[str, ChannelMap]:
        """The map of each tensor from a narrower `before` (eq. 7 and 8). Raises ValueError where there is none."""
        if self.channels < before.channels:
            raise ValueError(f"it would shrink from {before.channels} to {self.channels} channels; K can only fall")
        found: dict[str, ChannelMap] = {}
        for kind in ("shared", "stacked"):
            for name, operation in getattr(self, kind).items():
                was, now = before.positions.get(name, ()), self.positions[name]
                if not set(now) <= set(was):
                    raise ValueError(f"{name} was pruned on an edge and cannot come back")
                edges = torch.tensor([was.index(position) for position in now])
                found |= prefixed(f"{kind}.{name}", operation.maps(getattr(before, kind)[name], edges, generator))
        return found


class ThetaLayout:
    """The positions in theta (E, O) of the mixing weights of a cell's `sources`, gathered once for all cells of a group.

    `leaving`: the edges that leave each source.
    """

    def __init__(self, sources: Sequence[MixedEdges], leaving: Sequence[Sequence[int]], names: tuple[str, ...]):
        def places(kind: str) -> list[list[int]]:
            return [
                [edges[position] * len(names) + names.index(name) for position in source.positions[name]]
                for source, edges in zip(sources, leaving)
                for name in getattr(source, kind)
            ]

        stacked, shared = places("stacked"), places("shared")
        self.index = torch.tensor([place for places in (*stacked, *shared) for place in places], dtype=torch.long)
        self.stacked, self.shared = [len(places) for places in stacked], [len(places) for places in shared]
        self.counts = [(len(source.stacked), len(source.shared)) for source in sources]

    def cut(self, weights: Tensor, channels: int) -> list[Theta]:
        """theta (E, O), flattened and indexed by `index`, for the sources of cells that mix `channels` channels."""
        of_stacked, of_shared = weights.split([sum(self.stacked), sum(self.shared)])
        by_channel = of_stacked[:, None].expand(-1, channels).reshape(-1)
        stacked = iter(by_channel.split([channels * count for count in self.stacked]))
        shared = iter(of_shared.view(-1, 1, 1, 1).split(self.shared))
        return [Theta(tuple(next(stacked) for _ in range(a)), tuple(next(shared) for _ in range(b))) for a, b in self.counts]
