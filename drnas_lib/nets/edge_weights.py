"""The supernet with a weight for each whole edge, mixed channels and those that pass by alike (PC-DARTS' edge normalisation)."""

import torch
from torch import Tensor

from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.supernet import SuperCell, SuperNet


class EdgeWeightedCell(SuperCell):
    """A cell that is told, beside the mixing weights, what multiplies all that an edge gives."""

    def forward(self, x: Tensor, thetas: list[Tensor], weights: list[Tensor]) -> Tensor:
        """x (B, C, H, W); of the edges that leave each node, theta times the weight (n, O) and the weights (n,) -> (B, C, H, W)."""
        if self.k == 1:
            return super().forward(x, thetas)
        received, passing = None, [0.0] * len(weights)  # of nodes 1, 2, ...: the channels that pass by
        for node, (theta, of_edges, source) in enumerate(zip(thetas, weights, self.sources)):
            mixed, passed = x.split([self.mixed, x.shape[1] - self.mixed], 1)
            for place, weight in enumerate(of_edges.unbind(), start=node):
                passing[place] = passing[place] + weight * passed
            received = source(mixed, theta, received)  # B n*c H W
            arrived, received = received.split([self.mixed, received.shape[1] - self.mixed], 1)
            x = channel_shuffle(torch.cat([arrived, passing[node]], 1), self.k)
        return x


class EdgeWeightedNet(SuperNet):
    """`forward(x, theta)` with theta (G, E, O + 1): the mixing weights of an edge, then the weight of the edge."""

    cell = EdgeWeightedCell

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        mixing, weight = theta[0, :, :-1], theta[0, :, -1]
        return super(SuperNet, self).forward(x, self.by_source(mixing * weight[:, None]), self.by_source(weight))
