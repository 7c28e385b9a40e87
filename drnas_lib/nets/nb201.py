"""The supernet of NAS-Bench-201: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from drnas_lib.nets.mixed import MixedCell, SourceTheta, ThetaLayout
from drnas_lib.nets.nb201_network import Skeleton
from drnas_lib.nets.supernet_operations import NB201
from drnas_lib.spaces.space import Space


class SuperCell(MixedCell):
    """One cell of the supernet: its last node is the output."""

    def forward(self, x: Tensor, theta: dict[int, list[SourceTheta]], edge_weights: Sequence[Tensor] | None = None) -> Tensor:
        """x (B, C, H, W), by width the theta of each source, the weights of the edges that leave each node -> (B, C, H, W)."""
        return self.nodes([x], theta[self.mixed_channels], edge_weights=edge_weights)[-1]


class Nb201SuperNet(Skeleton):
    """The macro skeleton filled with supercells; `forward(x, theta)` with theta (G, E, O) gives the logits (B, classes).

    `mask` (G, E, O) marks the operations that exist; None means all of them.
    """

    cell: type[MixedCell] = SuperCell
    capturable = True  # whether a CUDA graph can replay a forward pass: false where it reads theta back to the host
    memory_draws = 1  # of theta, over which the activation memory of a step is averaged

    def __init__(
        self,
        space: Space,
        k: int = 1,
        mask: Tensor | None = None,
        channels: int = 16,
        cells_per_stage: int = 5,
        classes: int = 10,
        in_channels: int = 3,
        memory_format: torch.memory_format | None = None,
    ):
        rows = space.initial_mask(len(space.operations)) if mask is None else mask.tolist()
        cell = lambda width: self.cell(space, width, k, rows[0], {1: NB201})
        super().__init__(cell, channels, cells_per_stage, classes, in_channels)
        # Measured on a CPU: channels last is faster where convolutions dominate, and slower where an edge mixes few channels.
        self.memory_format = memory_format or (torch.channels_last if k == 1 else torch.contiguous_format)
        self.to(memory_format=self.memory_format)  # of weights and gradients, so that optimisers keep their fused path
        cells = [layer for layer in self.layers if isinstance(layer, MixedCell)]
        widths = [cell.mixed_channels for cell in cells[::cells_per_stage]]
        self.layout = ThetaLayout(cells, widths, space.leaving(), space.operations)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return self.each_cell(x, self.layout(theta[0]))

    def each_cell(self, x: Tensor, *cell_args) -> Tensor:
        """The forward pass of the skeleton in the supernet's memory format."""
        return super().forward(x.contiguous(memory_format=self.memory_format), *cell_args)


class EdgeWeightedNet(Nb201SuperNet):
    """PC-DARTS' edge normalisation: theta (G, E, O + 1) has the mixing weights of an edge, then the weight of the edge."""

    order: Tensor

    def __init__(self, space: Space, *args, **settings):
        super().__init__(space, *args, **settings)
        self.sizes = [len(edges) for edges in space.leaving()]
        order = torch.tensor([edge for edges in space.leaving() for edge in edges])
        self.register_buffer("order", order, persistent=False)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        mixing, weight = theta[0, :, :-1], theta[0, :, -1]  # E O, E
        edge_weights = weight.index_select(0, self.order).view(-1, 1, 1, 1).split(self.sizes)
        return self.each_cell(x, self.layout(mixing * weight[:, None]), edge_weights)
