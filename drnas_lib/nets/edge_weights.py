"""The supernet with a weight for each whole edge, on mixed and unmixed channels (PC-DARTS' edge normalisation)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from drnas_lib.nets.layers import next_node, shuffled, split
from drnas_lib.nets.mixed import Theta
from drnas_lib.nets.mixture import mixture
from drnas_lib.nets.nb201 import SuperCell, SuperNet


class EdgeWeightedCell(SuperCell):
    """A cell whose edges are multiplied by their own weights; `theta` contains them already."""

    def forward(self, x: Tensor, theta: dict[int, list[Theta]], weights: Sequence[Tensor] = ()) -> Tensor:
        """x (B, C, H, W), by width the theta of each source, the weights (n, 1, 1, 1) of the edges leaving it -> (B, C, H, W)."""
        if self.k == 1:
            return super().forward(x, theta)
        received = passed = None  # sums of all later nodes, of the mixed channels (B, n c, H, W) and the unmixed (B, n (C - c), H, W)
        for edges, source, mixing, of_edges in zip(self.leaving, self.sources, theta[x.shape[1]], weights):
            first, rest = split(x, self.k)
            assert rest is not None  # since K > 1
            received = source(first, mixing, received)
            passed = mixture(len(edges), passed, [], [(rest, of_edges, tuple(range(len(edges))))])
            node, received = next_node(received, self.mixed)
            bypass, passed = next_node(passed, rest.shape[1])
            x = shuffled(node, bypass, self.k)
        return x


class EdgeWeightedNet(SuperNet):
    """`forward(x, theta)` with theta (G, E, O + 1): the mixing weights of an edge, then the weight of the edge."""

    cell = EdgeWeightedCell
    order: Tensor

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.sizes = [len(edges) for edges in self.leaving]
        order = torch.tensor([edge for edges in self.leaving for edge in edges])
        self.register_buffer("order", order, persistent=False)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        mixing, weight = theta[0, :, :-1], theta[0, :, -1]  # E O, E
        of_edges = weight.index_select(0, self.order).view(-1, 1, 1, 1).split(self.sizes)
        x = x.contiguous(memory_format=self.memory_format)
        return super(SuperNet, self).forward(x, self.by_width(mixing * weight[:, None]), of_edges)
