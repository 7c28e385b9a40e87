"""The cells of a supernet, with their drop path. All edges that leave one node are computed together.

They have the same input, so its ReLU and its poolings are computed once, and the convolutions of one kind are one convolution with the
kernels of all edges stacked. An operation that the mask drops on an edge has no weights there and is not computed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.layers import added, interleave_channels, next_node, split
from drnas_lib.nets.mixture import mixture
from drnas_lib.spaces.space import Space

NONE = "none"  # gives zeros: nothing to compute


@dataclass(frozen=True)
class SourceTheta:
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

    def forward(self, x: Tensor, theta: SourceTheta, received: Tensor | None = None, drop: Tensor | None = None, generator=None) -> Tensor:
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
            B, c, H, W = x.shape
            zeros = B, self.edges * c, -(-H // self.stride), -(-W // self.stride)
            return x.new_zeros(zeros) if received is None else received
        if drop is None:
            return mixture(self.edges, received, stacked, shared)
        mixed = mixture(self.edges, None, stacked, shared).unflatten(1, (self.edges, -1))  # B n c H' W'
        survives = torch.rand(len(x), self.edges, 1, 1, 1, generator=generator, device=x.device) >= drop
        kept = (mixed * (survives / (1 - drop)).to(x.dtype)).flatten(1, 2)
        return kept if received is None else received + kept


class MixedCell(nn.Module):
    """The mixed edges of one cell of width C: each computed node is the sum of those from all nodes before it.

    With K > 1 an edge mixes the first C/K channels, passes the others on (through 2x2 max pooling at stride 2) and shuffles; the
    shuffle is the same permutation on all edges into a node, so it is applied once, to their sum.

    `operations` by stride; `inputs`: the layers of the input nodes, None for a single node that needs none. A cell that `reduces` has
    stride 2 behind its inputs.
    """

    def __init__(
        self,
        space: Space,
        channels: int,
        k: int,
        mask: list[list[bool]],
        operations: Mapping[int, Operations],
        inputs: nn.ModuleList | None = None,
        reduces: bool = False,
    ):
        super().__init__()
        if channels % k:
            raise ValueError(f"K={k} does not divide the {channels} channels of a cell")
        self.k, self.mixed_channels, self.reduces = k, channels // k, reduces
        self.leaving, self.operations = space.leaving(), space.operations
        self.inputs, self.sources = inputs or nn.ModuleList(), nn.ModuleList()
        for node, edges in enumerate(self.leaving):
            stride = 2 if reduces and node < len(self.inputs) else 1
            self.sources.append(MixedEdges(operations[stride], self.mixed_channels, space.operations, [mask[e] for e in edges], stride))

    def nodes(
        self,
        states: list[Tensor],
        theta: Sequence[SourceTheta],
        drop: Tensor | None = None,
        generator: torch.Generator | None = None,
        edge_weights: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """All nodes from the input nodes `states`, (B, C, H, W) each; `theta` of each source.

        `edge_weights`, (n, 1, 1, 1) of the edges leaving each node, multiply whole edges; `theta` contains them already.
        """
        inputs, received = len(states), None  # the sums of all later nodes, of the mixed channels (B, n c, H, W)
        bypass = weighted = None  # of the unmixed channels: equal for all later nodes, or if edges have weights (B, n (C - c), H, W)
        for node, (source, mixing) in enumerate(zip(cast("Iterable[MixedEdges]", self.sources), theta)):
            first, rest = split(states[node], self.k)
            if rest is not None and source.stride == 2:
                rest = F.max_pool2d(rest, 2)
            received = source(first, mixing, received, drop, generator)
            if rest is not None and edge_weights is not None:
                weighted = mixture(source.edges, weighted, [], [(rest, edge_weights[node], tuple(range(source.edges)))])
                bypass, weighted = next_node(weighted, rest.shape[1])
            else:
                bypass = added(bypass, rest)
            if node + 1 >= inputs:  # the next node has received from all before it
                mixed, received = next_node(received, self.mixed_channels)
                states.append(interleave_channels(mixed, bypass, self.k))
        return states


class ThetaLayout(nn.Module):
    """Hands theta (E, O) to the sources of the `cells` of a group, which differ in their width alone: gathered once for all of them.

    `widths` are the channels that the cells mix; gradients are added in their order.
    """

    index: Tensor  # of the mixing weights in theta, flattened; on the device, or it would be copied there every time

    def __init__(self, cells: Sequence[MixedCell], widths: Collection[int], leaving: Sequence[Sequence[int]], names: tuple[str, ...]):
        super().__init__()
        self.widths = widths
        sources = list(cast("Iterable[MixedEdges]", cells[0].sources)) if cells else []

        def places(kind: str) -> list[list[int]]:
            return [
                [edges[position] * len(names) + names.index(name) for position in source.positions[name]]
                for source, edges in zip(sources, leaving)
                for name in getattr(source, kind)
            ]

        stacked, shared = places("stacked"), places("shared")
        index = torch.tensor([place for places in (*stacked, *shared) for place in places], dtype=torch.long)
        self.register_buffer("index", index, persistent=False)
        self.stacked, self.shared = [len(places) for places in stacked], [len(places) for places in shared]
        self.counts = [(len(source.stacked), len(source.shared)) for source in sources]

    def forward(self, theta: Tensor) -> dict[int, list[SourceTheta]]:
        """By the channels that a cell mixes: the weights of each of its sources."""
        of_stacked, of_shared = theta.flatten().index_select(0, self.index).split([sum(self.stacked), sum(self.shared)])
        return {width: self._by_source(of_stacked, of_shared, width) for width in self.widths}

    def _by_source(self, of_stacked: Tensor, of_shared: Tensor, width: int) -> list[SourceTheta]:
        by_channel = of_stacked[:, None].expand(-1, width).reshape(-1)
        stacked = iter(by_channel.split([width * count for count in self.stacked]))
        shared = iter(of_shared.view(-1, 1, 1, 1).split(self.shared))
        return [SourceTheta(tuple(next(stacked) for _ in range(a)), tuple(next(shared) for _ in range(b))) for a, b in self.counts]
