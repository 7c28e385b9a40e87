"""The supernet of the DARTS space and of S1 to S4: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.darts_mixed import MixedEdges
from drnas_lib.nets.darts_skeleton import MACROS, CellPlace, DartsSkeleton
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.spaces.darts_operations import FactorizedReduce, project
from drnas_lib.spaces.space import Space

INPUTS = 2  # nodes 0 and 1 of a cell
STEM_WIDTH = 3  # times the channels of the first cell, on CIFAR and on ImageNet alike


class DartsSuperCell(nn.Module):
    """One cell of width C: each computed node is the sum of the mixed edges from all nodes before it; the output joins them all.

    With K > 1 an edge mixes the first C/K channels, lets the others pass (through 2x2 max pooling at stride 2) and shuffles; the
    shuffle is the same permutation on all edges into a node, so it is applied once, to their sum.
    """

    def __init__(self, space: Space, place: CellPlace, k: int, mask: list[list[bool]]):
        super().__init__()
        C = place.channels
        if C % k:
            raise ValueError(f"K={k} does not divide the {C} channels of a cell")
        self.k, self.mixed, self.reduces = k, C // k, place.reduction
        # The cell before last has twice the height of the last one where the last one reduced.
        first = FactorizedReduce(place.c_before_last, C, False) if place.reduction_before else project(place.c_before_last, C, False)
        self.inputs = nn.ModuleList([first, project(place.c_last, C, False)])
        self.leaving = [[e for e, (source, _) in enumerate(space.edges) if source == node] for node in range(space.nodes - 1)]
        self.sources = nn.ModuleList(
            MixedEdges(self.mixed, space.operations, [mask[e] for e in edges], 2 if place.reduction and node < INPUTS else 1)
            for node, edges in enumerate(self.leaving)
        )

    def forward(self, before_last: Tensor, last: Tensor, theta: list[list[list[Tensor]]], drop, generator) -> Tensor:
        """Both inputs (B, C', H', W'), theta by group as each source wants it -> (B, 4 C, H, W)."""
        states = [self.inputs[0](before_last), self.inputs[1](last)]  # B C H W each
        received = bypass = None
        for node, source in enumerate(self.sources):
            mixed, passed = self._split(states[node], source.stride)
            received = source(mixed, theta[self.reduces][node], received, drop, generator)  # B n*c H W
            bypass = passed if bypass is None or passed is None else bypass + passed
            if node + 1 >= INPUTS:  # the next node has heard from all before it
                complete, received = received.split([self.mixed, received.shape[1] - self.mixed], 1)
                states.append(complete if self.k == 1 else channel_shuffle(torch.cat([complete, bypass], 1), self.k))
        return torch.cat(states[INPUTS:], 1)

    def _split(self, x: Tensor, stride: int) -> tuple[Tensor, Tensor | None]:
        if self.k == 1:
            return x, None
        mixed, passed = x.split([self.mixed, x.shape[1] - self.mixed], 1)
        return mixed, passed if stride == 1 else F.max_pool2d(passed, 2)

    def weights(self) -> list[tuple[int, int] | None]:
        """(edge, operation) of every mixing weight, in the order in which the sources use them."""
        return [
            None if entry is None else (edges[entry[0]], entry[1])
            for edges, source in zip(self.leaving, self.sources)
            for entry in source.plan
        ]


class DartsSuperNet(DartsSkeleton):
    """The macro network `macro` filled with supercells; `forward(x, theta)` with theta (G, E, O) gives the logits (B, classes).

    `mask` (G, E, O) names the operations that exist at all; None means all of the space's. `generator`, on the network's device, gives
    the numbers of the noise operation and of drop path. With `drop_path` single edges are left out for single images, with the
    probability that `set_drop_path` sets.
    """

    def __init__(
        self,
        space: Space,
        k: int = 1,
        mask: Tensor | None = None,
        macro: str = "cifar",
        channels: int = 36,
        cells: int = 20,
        classes: int = 10,
        in_channels: int = 3,
        drop_path: bool = False,
        generator: torch.Generator | None = None,
    ):
        rows = space.start(len(space.operations)) if mask is None else mask.tolist()
        super().__init__(
            lambda place: DartsSuperCell(space, place, k, rows[place.reduction]),
            MACROS[macro],
            channels,
            cells,
            classes,
            in_channels,
            stem_width=STEM_WIDTH * channels,
        )
        self.k, self.generator = k, generator
        self.register_buffer("drop", torch.zeros(()) if drop_path else None, persistent=False)  # a schedule sets it in every epoch
        self.draws = drop_path or any("noise" in source.stacked for cell in self.cells for source in cell.sources)
        self.of_group = [next((cell for cell in self.cells if cell.reduces == bool(g)), None) for g in range(len(space.groups))]
        for g, cell in enumerate(self.of_group):
            if cell is not None:
                self.register_buffer(f"plan{g}", self._positions(cell.weights(), space), persistent=False)

    @staticmethod
    def _positions(weights: list[tuple[int, int] | None], space: Space) -> Tensor:
        """Where each mixing weight lies in theta (E, O), flattened and followed by a zero for the dropped ones."""
        _, edges, operations = space.shape
        return torch.tensor([edges * operations if at is None else at[0] * operations + at[1] for at in weights], dtype=torch.long)

    def set_drop_path(self, probability: float) -> None:
        """Raises ValueError outside 0 <= probability < 1."""
        if not 0 <= probability < 1:
            raise ValueError(f"drop path probability {probability}: allowed is 0 to below 1")
        self.drop.fill_(probability)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return super().forward(x, self._distributed(theta), self.drop if self.training else None, self.generator)

    def _distributed(self, theta: Tensor) -> list[list[list[Tensor]] | None]:
        """theta (G, E, O), gathered once for all cells of a group and cut into what each source uses."""
        found = []
        for g, cell in enumerate(self.of_group):
            if cell is None:
                found.append(None)
                continue
            flat = F.pad(theta[g].flatten(), (0, 1)).index_select(0, self.get_buffer(f"plan{g}"))
            pieces = iter(flat.split([size for source in cell.sources for size in source.sizes]))
            found.append([[next(pieces) for _ in source.sizes] for source in cell.sources])
        return found
