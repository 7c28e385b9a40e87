"""The supernet of NAS-Bench-201: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

import torch
from torch import Tensor, nn

from drnas_lib.nets.layers import added, avg_pool_3x3, next_node, shuffled, split
from drnas_lib.nets.mixed import Identity, MixedEdges, Operations, Theta, ThetaLayout, WithoutTensors
from drnas_lib.nets.nb201_network import Skeleton
from drnas_lib.nets.stacked import StackedConv
from drnas_lib.spaces.space import Space


class AveragePool(WithoutTensors):
    def forward(self, x: Tensor) -> Tensor:
        return avg_pool_3x3(x)


OPERATIONS = Operations(
    stacked={  # MixedEdges applies the ReLU in front
        "nor_conv_1x1": lambda channels, edges, stride: StackedConv(edges, channels, channels, kernel=1),
        "nor_conv_3x3": lambda channels, edges, stride: StackedConv(edges, channels, channels, kernel=3),
    },
    shared={
        "skip_connect": lambda channels, stride: Identity(),
        "avg_pool_3x3": lambda channels, stride: AveragePool(),
    },
)


class CellEdges(nn.Module):
    """The mixed edges of one cell of width C, each on C/K channels."""

    def __init__(self, space: Space, channels: int, k: int, mask: Tensor):
        super().__init__()
        if channels % k:
            raise ValueError(f"K={k} does not divide the {channels} channels of a cell")
        self.k, self.mixed, self.leaving, self.operations = k, channels // k, space.leaving(), space.operations
        sources = [MixedEdges(OPERATIONS, self.mixed, space.operations, mask[edges].tolist()) for edges in self.leaving]
        self.sources, self.layout = nn.ModuleList(sources), ThetaLayout(sources, self.leaving, space.operations)


class SuperCell(CellEdges):
    """One cell of width C: node j is the sum over i < j of the mixed edges (i, j).

    With K > 1 an edge mixes the first C/K channels, passes the others on and shuffles all; the shuffle is the same on all edges
    into a node, so it is applied once, to their sum.
    """

    def forward(self, x: Tensor, theta: dict[int, list[Theta]]) -> Tensor:
        """x (B, C, H, W), by width the theta of each source -> (B, C, H, W)."""
        received = bypass = None  # sums of all later nodes (B, n c, H, W), and of the unmixed channels (B, C - c, H, W)
        for source, weights in zip(self.sources, theta[x.shape[1]]):
            first, rest = split(x, self.k)
            received = source(first, weights, received)
            bypass = added(bypass, rest)
            node, received = next_node(received, self.mixed)
            x = shuffled(node, bypass, self.k)
        return x


class SuperNet(Skeleton):
    """The macro skeleton filled with supercells; `forward(x, theta)` with theta (G, E, O) gives the logits (B, classes).

    `mask` (G, E, O) marks the operations that exist; None means all of them.
    """

    cell: type[CellEdges] = SuperCell
    capturable = True  # whether a CUDA graph can replay a forward pass: false where it reads theta back to the host
    memory_draws = 1  # of theta, over which the activation memory of a step is averaged
    index: Tensor

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
        mask = torch.ones(space.shape, dtype=torch.bool) if mask is None else mask.detach().cpu()
        super().__init__(lambda width: self.cell(space, width, k, mask[0]), channels, cells_per_stage, classes, in_channels)
        self.k = k
        # Measured on a CPU: channels last is faster where convolutions dominate, and slower where an edge mixes few channels.
        self.memory_format = memory_format or (torch.channels_last if k == 1 else torch.contiguous_format)
        self.to(memory_format=self.memory_format)  # of weights and gradients, so that optimisers keep their fused path
        first = next(layer for layer in self.layers if isinstance(layer, CellEdges))
        self.leaving, self.layout = first.leaving, first.layout
        self.register_buffer("index", self.layout.index, persistent=False)  # on the device: a list would be copied there every time

    def by_width(self, theta: Tensor) -> dict[int, list[Theta]]:
        """theta (E, O) for the sources of the cells of each width."""
        weights = theta.flatten().index_select(0, self.index)
        return {width: self.layout.cut(weights, width // self.k) for width in self.widths}

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return super().forward(x.contiguous(memory_format=self.memory_format), self.by_width(theta[0]))
