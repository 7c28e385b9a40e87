"""The network that a NAS-Bench-201 genotype stands for: the one that the benchmark trained."""

import torch
from torch import Tensor, nn

from drnas_lib.genotype import Nb201Genotype
from drnas_lib.nets.skeleton import Skeleton
from drnas_lib.spaces.operations import OPERATIONS


class DiscreteCell(nn.Module):
    """Each node is the sum of its edges, the last one is the output; a 'none' edge is neither built nor computed."""

    def __init__(self, genotype: Nb201Genotype, channels: int):
        super().__init__()
        edges = [edge for edge in genotype.edges() if edge[2] != "none"]
        self.ends = [(source, target) for source, target, _ in edges]
        self.nodes = 1 + max(target for _, target, _ in genotype.edges())
        self.operations = nn.ModuleList(OPERATIONS[operation](channels, channels, 1, True) for _, _, operation in edges)

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x] + [None] * (self.nodes - 1)  # B C H W each; None until an edge arrives
        for (source, target), operation in zip(self.ends, self.operations, strict=True):
            state = torch.zeros_like(x) if nodes[source] is None else nodes[source]
            arriving = operation(state)
            nodes[target] = arriving if nodes[target] is None else nodes[target] + arriving
        return torch.zeros_like(x) if nodes[-1] is None else nodes[-1]


class DiscreteNetwork(Skeleton):
    """The macro skeleton with the cell `genotype` everywhere; every batch normalisation learns its scale and shift."""

    def __init__(
        self,
        genotype: Nb201Genotype,
        channels: int = 16,
        cells_per_stage: int = 5,
        classes: int = 10,
        in_channels: int = 3,
    ):
        super().__init__(lambda width: DiscreteCell(genotype, width), channels, cells_per_stage, classes, in_channels)
        self.genotype = genotype
