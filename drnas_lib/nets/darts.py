"""The supernet of the DARTS space and of S1 to S4: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

import torch
from torch import Tensor, nn

from drnas_lib.genotype import DARTS_CELL_INPUTS
from drnas_lib.nets.darts_skeleton import CellPlace, DartsSkeleton, cell_inputs
from drnas_lib.nets.mixed import MixedCell, SourceTheta, ThetaLayout
from drnas_lib.nets.supernet_operations import DARTS, Noise
from drnas_lib.spaces.space import Space

STEM_WIDTH = 3  # times the channels of the first cell, on CIFAR and on ImageNet


class DartsSuperCell(MixedCell):
    """One cell of width C; the output joins its four computed nodes."""

    def __init__(self, space: Space, place: CellPlace, k: int, mask: list[list[bool]]):
        super().__init__(space, place.channels, k, mask, DARTS, cell_inputs(place, affine=False), place.reduction)

    def forward(self, before_last: Tensor, last: Tensor, theta: list[dict[int, list[SourceTheta]]], drop, generator) -> Tensor:
        """Both inputs (B, C', H', W'), by group and width the theta of each source -> (B, 4 C, H, W)."""
        states = [self.inputs[0](before_last), self.inputs[1](last)]  # B C H W each
        nodes = self.nodes(states, theta[self.reduces][self.mixed_channels], drop, generator)
        return torch.cat(nodes[DARTS_CELL_INPUTS:], 1)


class DartsSuperNet(DartsSkeleton):
    """The macro network `macro` filled with supercells; `forward(x, theta)` with theta (G, E, O) gives the logits (B, classes).

    `mask` (G, E, O) marks the operations that exist; None means all of the space's. `generator`, on the network's device, draws for
    the noise operation and for drop path. With `drop_path` each image drops each edge with the probability of `set_drop_path`.
    """

    drop: Tensor | None

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
        rows = space.initial_mask(len(space.operations)) if mask is None else mask.tolist()
        cell = lambda place: DartsSuperCell(space, place, k, rows[place.reduction])
        super().__init__(cell, macro, channels, cells, classes, in_channels, stem_width=STEM_WIDTH * channels)
        self.generator = generator
        self.register_buffer("drop", torch.zeros(()) if drop_path else None, persistent=False)  # a schedule sets it in every epoch
        self.uses_generator = drop_path or any(isinstance(module, Noise) for module in self.modules())
        self.layouts = nn.ModuleList()
        for g in range(len(space.groups)):
            of_group = [cell for cell in self.cells if isinstance(cell, DartsSuperCell) and cell.reduces == bool(g)]
            widths = {cell.mixed_channels for cell in of_group}
            self.layouts.append(ThetaLayout(of_group, widths, space.leaving(), space.operations))

    def set_drop_path(self, probability: float) -> None:
        """Set the probability, 0 to below 1, in a network that was made with `drop_path`."""
        assert self.drop is not None, "made without drop_path"
        self.drop.fill_(probability)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        by_group = [layout(of_group) for layout, of_group in zip(self.layouts, theta)]
        return super().forward(x, by_group, self.drop if self.training else None, self.generator)
