"""The oracle of the DARTS space: the supernet edge by edge and operation by operation, with PyTorch's own modules."""

import torch
from torch import Tensor, nn

from drnas_lib.nets.darts_skeleton import DartsSkeleton
from drnas_lib.spaces.darts_operations import OPERATIONS, FactorizedReduce
from drnas_lib.spaces.nb201_operations import relu_conv_bn


class PlainEdge(nn.Module):
    def __init__(self, space, channels, k, kept, stride):
        super().__init__()
        self.k, self.width, self.stride = k, channels // k, stride
        self.operations = nn.ModuleDict(
            {name: OPERATIONS[name](self.width, stride, False) for o, name in enumerate(space.operations) if kept[o]}
        )
        self.names = space.operations

    def forward(self, x, theta):
        first, rest = x[:, : self.width], x[:, self.width :]
        mixed = sum(theta[self.names.index(name)] * operation(first) for name, operation in self.operations.items())
        if self.k == 1:
            return mixed
        if self.stride == 2:
            rest = nn.functional.max_pool2d(rest, 2)
        return nn.functional.channel_shuffle(torch.cat([mixed, rest], 1), self.k)


class PlainCell(nn.Module):
    def __init__(self, space, place, k, mask):
        super().__init__()
        self.space, self.group, C = space, int(place.reduction), place.channels
        project = lambda c_in: relu_conv_bn(c_in, C, 1, 1, False)
        first = FactorizedReduce(place.c_before_last, C, False) if place.reduction_before else project(place.c_before_last)
        self.inputs = nn.ModuleList([first, project(place.c_last)])
        self.edges = nn.ModuleList(
            PlainEdge(space, C, k, mask[self.group][e], 2 if place.reduction and source < 2 else 1)
            for e, (source, _) in enumerate(space.edges)
        )

    def forward(self, before_last, last, theta):
        nodes = [self.inputs[0](before_last), self.inputs[1](last)]
        for j in range(2, self.space.nodes):
            into = [(e, source) for e, (source, target) in enumerate(self.space.edges) if target == j]
            nodes.append(sum(self.edges[e](nodes[source], theta[self.group][e]) for e, source in into))
        return torch.cat(nodes[2:], 1)


class PlainDartsSuperNet(DartsSkeleton):
    def __init__(self, space, k=1, mask=None, macro="cifar", channels=36, cells=20, classes=10, in_channels=3):
        mask = space.initial_mask(len(space.operations)) if mask is None else mask.tolist()
        super().__init__(
            lambda place: PlainCell(space, place, k, mask), macro, channels, cells, classes, in_channels, stem_width=3 * channels
        )

    def forward(self, x: Tensor, theta: Tensor):
        return super().forward(x, theta)


# Where a plain operation keeps what the fast one has stacked: module of the fast one -> position in the plain Sequential.
HALF = ("depthwise.weight", "pointwise.weight", "pointwise.norm.running_mean", "pointwise.norm.running_var")
FIRST = ["1.weight", "2.weight", "3.running_mean", "3.running_var"]
SECOND = ["5.weight", "6.weight", "7.running_mean", "7.running_var"]
PARTS = {
    "sep": dict(zip([f"{half}.{leaf}" for half in ("first", "second") for leaf in HALF], FIRST + SECOND)),
    "dil": dict(zip(HALF, FIRST)),
}


def pairs(fast, plain):
    """(fast tensor, its block of channels, plain tensor, its block) for every weight and running statistic inside the cells."""
    everything = slice(None)
    for fast_cell, plain_cell in zip(fast.cells, plain.cells):
        for edges, source in zip(fast_cell.leaving, fast_cell.sources):
            for name, operation in source.stacked.items():
                positions = source.positions[name]
                stacked = dict(operation.named_parameters()) | dict(operation.named_buffers())
                for place, position in enumerate(positions):
                    operation = plain_cell.edges[edges[position]].operations[name]
                    own = dict(operation.named_parameters()) | dict(operation.named_buffers())

                    def block(leaf, place=place, positions=positions, stacked=stacked):
                        width = len(stacked[leaf]) // len(positions)
                        return slice(place * width, (place + 1) * width)

                    if name == "skip_connect":
                        half = own["even.weight"].shape[0]
                        for part, channels in (("even", slice(0, half)), ("odd", slice(half, None))):
                            yield stacked[f"{part}.weight"], block(f"{part}.weight"), own[f"{part}.weight"], everything
                            for leaf in ("running_mean", "running_var"):
                                yield stacked[f"{part}.norm.{leaf}"], block(f"{part}.norm.{leaf}"), own[f"norm.{leaf}"], channels
                    else:
                        for leaf, where in PARTS.get(name[:3], {}).items():
                            yield stacked[leaf], block(leaf), own[where], everything
            for name, pool in source.shared.items():
                for edge in edges:
                    if name in plain_cell.edges[edge].operations and name != "skip_connect":
                        norm = plain_cell.edges[edge].operations[name][1]
                        yield pool.norm.running_mean, everything, norm.running_mean, everything
                        yield pool.norm.running_var, everything, norm.running_var, everything


@torch.no_grad()
def copy_weights(fast, plain):
    """Give the oracle the weights and running statistics of the fast supernet."""
    shared = {name: value for name, value in fast.state_dict().items() if ".sources." not in name}
    missing, unexpected = plain.load_state_dict(shared, strict=False)
    assert not unexpected and all(".edges." in name for name in missing)
    for stacked, block, own, place in pairs(fast, plain):
        own[place] = stacked[block]
