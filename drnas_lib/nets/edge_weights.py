"""The supernet with a weight for each whole edge, mixed channels and those that pass by alike (PC-DARTS' edge normalisation)."""

import torch
from torch import Tensor

from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.supernet import SuperCell, SuperNet


class EdgeWeightedCell(SuperCell):
    """theta (E, O + 1): the mixing weights of an edge, then the weight that multiplies all that the edge gives."""

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, C, H, W)."""
        if self.k == 1:
            return super().forward(x, weighted(theta))
        weights, theta = theta[:, -1], weighted(theta)
        received, passing = None, [0.0] * len(self.leaving)  # of nodes 1, 2, ...: the channels that pass by
        for node, (edges, source) in enumerate(zip(self.leaving, self.sources)):
            mixed, passed = x.split([self.mixed, x.shape[1] - self.mixed], 1)
            for place, e in enumerate(edges, start=node):
                passing[place] = passing[place] + weights[e] * passed
            received = source(mixed, torch.stack([theta[e] for e in edges]), received)  # B n*c H W
            arrived, received = received.split([self.mixed, received.shape[1] - self.mixed], 1)
            x = channel_shuffle(torch.cat([arrived, passing[node]], 1), self.k)
        return x


def weighted(theta: Tensor) -> Tensor:
    """(E, O + 1) -> (E, O): the mixing weights times the weight of their edge."""
    return theta[:, :-1] * theta[:, -1:]


class EdgeWeightedNet(SuperNet):
    """`forward(x, theta)` with theta (G, E, O + 1)."""

    cell = EdgeWeightedCell
