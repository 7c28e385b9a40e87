"""The oracle: the supernet written as the paper says it, edge by edge and operation by operation, with PyTorch's own modules."""

import torch
from torch import Tensor, nn

from drnas_lib.nets.nb201_network import Skeleton
from drnas_lib.spaces.nb201_operations import OPERATIONS


def shuffle(x: Tensor, k: int) -> Tensor:
    return nn.functional.channel_shuffle(x, k)


class PlainEdge(nn.Module):
    def __init__(self, space, channels, k, kept):
        super().__init__()
        self.k, self.width = k, channels // k
        self.operations = nn.ModuleDict({name: OPERATIONS[name](self.width, False) for o, name in enumerate(space.operations) if kept[o]})
        self.names = space.operations

    def forward(self, x, theta):
        first, rest = x[:, : self.width], x[:, self.width :]
        mixed = sum(theta[self.names.index(name)] * operation(first) for name, operation in self.operations.items())
        return mixed if self.k == 1 else shuffle(torch.cat([mixed, rest], 1), self.k)


class PlainCell(nn.Module):
    def __init__(self, space, channels, k, mask):
        super().__init__()
        self.space = space
        self.edges = nn.ModuleList(PlainEdge(space, channels, k, mask[e]) for e in range(len(space.edges)))

    def forward(self, x, theta):
        nodes = [x]
        for j in range(1, self.space.nodes):
            into = [(e, source) for e, (source, target) in enumerate(self.space.edges) if target == j]
            nodes.append(sum(self.edges[e](nodes[source], theta[e]) for e, source in into))
        return nodes[-1]


class PlainSuperNet(Skeleton):
    def __init__(self, space, k=1, mask=None, channels=16, cells_per_stage=5, classes=10, in_channels=3):
        mask = torch.ones(space.shape, dtype=torch.bool) if mask is None else mask
        super().__init__(lambda width: PlainCell(space, width, k, mask[0]), channels, cells_per_stage, classes, in_channels)

    def forward(self, x, theta):
        return super().forward(x, theta[0])


def pairs(fast, plain):
    """(fast stacked tensor, its channel block, plain tensor) for every weight and running statistic inside the cells."""
    for fast_cell, plain_cell in zip(fast.layers, plain.layers):
        if not isinstance(plain_cell, PlainCell):
            continue
        for edges, source in zip(fast_cell.leaving, fast_cell.sources):
            for name, convolution in source.stacked.items():
                for place, position in enumerate(source.positions[name]):
                    block = slice(place * convolution.channels, (place + 1) * convolution.channels)
                    _, conv, norm = plain_cell.edges[edges[position]].operations[name]
                    yield convolution.weight, block, conv.weight
                    yield convolution.norm.running_mean, block, norm.running_mean
                    yield convolution.norm.running_var, block, norm.running_var


@torch.no_grad()
def copy_weights(fast, plain):
    """Give the oracle the weights and running statistics of the fast supernet."""
    shared = {name: value for name, value in fast.state_dict().items() if ".sources." not in name}
    missing, unexpected = plain.load_state_dict(shared, strict=False)
    assert not unexpected and all(".edges." in name for name in missing)
    for stacked, block, own in pairs(fast, plain):
        own.copy_(stacked[block])
