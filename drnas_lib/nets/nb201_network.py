"""The macro network of NAS-Bench-201, and the network that a genotype stands for: the one that the benchmark trained.

Dong & Yang, *NAS-Bench-201* (ICLR 2020), section 2.1 and figure 1. The width doubles and the resolution halves in each
residual block. Weights are initialised as PyTorch does by default.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from drnas_lib.genotype import Nb201Genotype
from drnas_lib.nets.layers import added
from drnas_lib.spaces.nb201_operations import OPERATIONS, relu_conv_bn

STAGES = 3


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the first at stride 2, plus a pooled, projected shortcut; no activation after the sum."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.body = nn.Sequential(relu_conv_bn(c_in, c_out, 3, 2, True), relu_conv_bn(c_out, c_out, 3, 1, True))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)  # B 2C H/2 W/2


class Skeleton(nn.Module):
    """`cell_factory(channels)` makes each cell; a cell keeps the shape of its input.

    `forward(x, *cell_args)` hands `cell_args` to every cell, so a supernet can pass its mixing weights through. `x`
    is a float (B, in_channels, H, W) with H and W divisible by 4; the result is the logits (B, classes).
    """

    def __init__(
        self,
        cell_factory: Callable[[int], nn.Module],
        channels: int = 16,
        cells_per_stage: int = 5,
        classes: int = 10,
        in_channels: int = 3,
    ):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.layers = nn.ModuleList()
        for stage in range(STAGES):
            width = channels * 2**stage
            if stage > 0:
                self.layers.append(ResidualBlock(width // 2, width))
            self.layers.extend(cell_factory(width) for _ in range(cells_per_stage))
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))

    def forward(self, x: Tensor, *cell_args) -> Tensor:
        x = self.stem(x)  # B C H W
        for layer in self.layers:
            x = layer(x) if isinstance(layer, ResidualBlock) else layer(x, *cell_args)
        return self.head(x)  # B classes


class DiscreteCell(nn.Module):
    """Each node is the sum of its edges, the last one is the output; a 'none' edge is neither built nor computed."""

    def __init__(self, genotype: Nb201Genotype, channels: int):
        super().__init__()
        edges = [edge for edge in genotype.edges() if edge[2] != "none"]
        self.ends = [(source, target) for source, target, _ in edges]
        self.nodes = 1 + max(target for _, target, _ in genotype.edges())
        self.operations = nn.ModuleList(OPERATIONS[operation](channels, True) for _, _, operation in edges)

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x] + [None] * (self.nodes - 1)  # B C H W each; None until an edge arrives
        for (source, target), operation in zip(self.ends, self.operations, strict=True):
            state = torch.zeros_like(x) if nodes[source] is None else nodes[source]
            nodes[target] = added(nodes[target], operation(state))
        return torch.zeros_like(x) if nodes[-1] is None else nodes[-1]


class Nb201Network(Skeleton):
    """The macro skeleton with the cell `genotype` everywhere; every batch normalisation learns its scale and shift.

    `sizes` are those of the skeleton: channels, cells_per_stage, classes, in_channels.
    """

    def __init__(self, genotype: Nb201Genotype, *sizes: int, **named_sizes: int):
        super().__init__(lambda width: DiscreteCell(genotype, width), *sizes, **named_sizes)
