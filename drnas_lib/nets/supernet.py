"""The supernet: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

import torch
from torch import Tensor, nn

from drnas_lib.nets import mixed_cell
from drnas_lib.nets.mixed import MixedSource, remember
from drnas_lib.nets.skeleton import Skeleton
from drnas_lib.nets.statistics import WHOLE, WholeBatch
from drnas_lib.spaces.space import Space


def leaving(space: Space) -> list[list[int]]:
    """The edges that leave each node but the last, by their target."""
    by_source = [[e for e, (source, _) in enumerate(space.edges) if source == node] for node in range(space.nodes - 1)]
    return [sorted(edges, key=lambda e: space.edges[e][1]) for edges in by_source]


class SuperCell(nn.Module):
    """One cell of width C: node j is the sum over i < j of the mixed edges (i, j), on 1/K of the channels (mixed_cell.py)."""

    batch: WholeBatch = WHOLE

    def __init__(self, space: Space, channels: int, k: int, mask: Tensor):
        super().__init__()
        if channels % k:
            raise ValueError(f"K={k} does not divide the {channels} channels of a cell")
        self.k = k
        self.mixed = channels // k
        self.leaving = leaving(space)
        self.sources = nn.ModuleList(MixedSource(self.mixed, space.operations, mask[edges]) for edges in self.leaving)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """x (B, C, H, W), theta (E, O) in the order of `leaving` -> (B, C, H, W), channels last in memory."""
        edges = [source.edges for source in self.sources]
        weights = [weight for source in self.sources for weight in source.weights()]
        running = None if self.training else [value for source in self.sources for value in source.running()]
        out, used = mixed_cell.apply(edges, self.k, running, x, theta, weights, self.batch)
        if self.training:
            remember(self.sources, used, self.batch.parts * x.numel() // x.shape[1])
        return out


class SuperNet(Skeleton):
    """The macro skeleton filled with supercells; `forward(x, theta)` with theta (G, E, O) gives the logits (B, classes).

    `mask` (G, E, O) names the operations that exist at all; None means all of them.
    """

    cell = SuperCell

    def __init__(
        self,
        space: Space,
        k: int = 1,
        mask: Tensor | None = None,
        channels: int = 16,
        cells_per_stage: int = 5,
        classes: int = 10,
        in_channels: int = 3,
    ):
        mask = torch.ones(space.shape, dtype=torch.bool) if mask is None else mask.detach().cpu()
        super().__init__(lambda width: self.cell(space, width, k, mask[0]), channels, cells_per_stage, classes, in_channels)
        self.k = k
        order = torch.tensor([edge for edges in leaving(space) for edge in edges])
        self.register_buffer("order", order, persistent=False)  # on the device: indexing by a list would copy it there every time

    def in_order(self, theta: Tensor) -> Tensor:
        """Rows of theta (E, ...) in the order of `leaving`."""
        return theta.index_select(0, self.order)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return super().forward(x.contiguous(memory_format=torch.channels_last), self.in_order(theta[0]))
