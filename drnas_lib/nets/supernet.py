"""The supernet: every candidate operation on every edge, mixed by theta, on 1/K of the channels."""

import torch
from torch import Tensor, nn

from drnas_lib.nets.mixed import MixedSource
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.skeleton import Skeleton
from drnas_lib.spaces.space import Space


def leaving(space: Space) -> list[list[int]]:
    """The edges that leave each node but the last, by their target."""
    by_source = [[e for e, (source, _) in enumerate(space.edges) if source == node] for node in range(space.nodes - 1)]
    return [sorted(edges, key=lambda e: space.edges[e][1]) for edges in by_source]


class SuperCell(nn.Module):
    """One cell of width C: node j is the sum over i < j of the mixed edges (i, j).

    With K > 1 an edge mixes the first C/K channels, lets the others pass and shuffles; the shuffle is the same permutation on all
    edges into a node, so it is applied once, to their sum.
    """

    def __init__(self, space: Space, channels: int, k: int, mask: Tensor):
        super().__init__()
        if channels % k:
            raise ValueError(f"K={k} does not divide the {channels} channels of a cell")
        self.k = k
        self.mixed = channels // k
        self.leaving = leaving(space)
        self.sources = nn.ModuleList(MixedSource(self.mixed, space.operations, mask[edges]) for edges in self.leaving)

    def forward(self, x: Tensor, thetas: list[Tensor]) -> Tensor:
        """x (B, C, H, W), theta of the edges that leave each node, (n, O) each -> (B, C, H, W)."""
        received = bypass = None
        for theta, source in zip(thetas, self.sources):
            mixed, passed = (x, None) if self.k == 1 else x.split([self.mixed, x.shape[1] - self.mixed], 1)
            received = source(mixed, theta, received)  # B n*c H W
            bypass = passed if bypass is None else bypass + passed
            node, received = received.split([self.mixed, received.shape[1] - self.mixed], 1)
            x = node if self.k == 1 else channel_shuffle(torch.cat([node, bypass], 1), self.k)
        return x


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
        for node, edges in enumerate(leaving(space)):  # on the device from the start: indexing by a list would copy it there every time
            self.register_buffer(f"leaving_{node}", torch.tensor(edges), persistent=False)

    def by_source(self, theta: Tensor) -> list[Tensor]:
        """Rows of theta (E, ...) of the edges that leave each node."""
        return [theta.index_select(0, edges) for name, edges in self.named_buffers(recurse=False) if name.startswith("leaving_")]

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        return super().forward(x, self.by_source(theta[0]))
