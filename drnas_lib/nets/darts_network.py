"""The network that a DARTS genotype stands for, trained by itself: its cells and drop path; darts_skeleton.py has the rest."""

import torch
from torch import Tensor, nn

from drnas_lib.config.presets import MACROS
from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype
from drnas_lib.nets.darts_skeleton import CellPlace, DartsSkeleton, cell_inputs
from drnas_lib.spaces.darts_operations import OPERATIONS, Factory


class DropPath(nn.Module):
    """Zeroes each image of a batch with probability p and divides the others by 1 - p (Larsson et al., ICLR 2017).

    The identity in evaluation. The probability is a tensor on the device, so that a schedule can change it in place.
    """

    keep: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("keep", torch.ones(()), persistent=False)

    def set_probability(self, probability: float) -> None:
        """`probability` is 0 to below 1."""
        self.keep.fill_(1 - probability)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        draws = torch.rand(len(x), 1, 1, 1, device=x.device)  # B 1 1 1, in [0, 1): all below a keep of 1
        return x * ((draws < self.keep) / self.keep).to(x.dtype)


class DartsCell(nn.Module):
    """Every node is the sum of its two operations; the output is the concatenation of some of the nodes.

    In a reduction cell the operations on the cell's two inputs have stride 2. Drop path acts on each operation but the identity.
    """

    def __init__(self, genotype: DartsGenotype, place: CellPlace, operations: dict[str, Factory], drop: DropPath | None):
        super().__init__()
        kind = "reduce" if place.reduction else "normal"
        self.inputs = cell_inputs(place, affine=True)
        self.concat = getattr(genotype, f"{kind}_concat")
        edges = genotype.edges(kind)
        self.sources = [source for source, _, _ in edges]
        strides = [2 if place.reduction and source < DARTS_CELL_INPUTS else 1 for source in self.sources]
        self.operations = nn.ModuleList(
            operations[operation](place.channels, stride, True) for (_, _, operation), stride in zip(edges, strides)
        )
        self.dropped = [not isinstance(operation, nn.Identity) for operation in self.operations]
        self.drop = drop

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        states = [self.inputs[0](before_last), self.inputs[1](last)]  # B C H W each
        for i in range(0, len(self.sources), 2):
            states.append(self._branch(i, states) + self._branch(i + 1, states))
        return torch.cat([states[node] for node in self.concat], 1)

    def _branch(self, i: int, states: list[Tensor]) -> Tensor:
        y = self.operations[i](states[self.sources[i]])
        return y if self.drop is None or not self.dropped[i] else self.drop(y)


class DartsNetwork(DartsSkeleton):
    """The macro network `macro` ("cifar" or "imagenet") with the cells of `genotype`; `channels` and `cells` default to the macro's own.

    With `auxiliary_size`, the height of the images, it has an auxiliary head. With `drop_path` it has a module `drop`, whose
    probability a schedule sets; it is 0 at first.
    """

    def __init__(
        self,
        genotype: DartsGenotype,
        macro: str = "cifar",
        channels: int | None = None,
        cells: int | None = None,
        classes: int = 10,
        in_channels: int = 3,
        auxiliary_size: int | None = None,
        drop_path: bool = False,
        operations: dict[str, Factory] = OPERATIONS,
    ):
        kind = MACROS[macro]
        drop = DropPath() if drop_path else None
        cell = lambda place: DartsCell(genotype, place, operations, drop)
        sizes = channels or kind.channels, cells or kind.cells, classes, in_channels
        concatenated = len(genotype.normal_concat), len(genotype.reduce_concat)
        super().__init__(cell, macro, *sizes, concatenated=concatenated, auxiliary_size=auxiliary_size)
        self.genotype = genotype
        self.drop = drop
