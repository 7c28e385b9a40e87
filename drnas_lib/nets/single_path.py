"""The supernet's weights with one operation on each edge; the others are neither computed nor kept for the backward pass.

The host decides which kernels to launch, so it reads the choice from `theta`: one host synchronisation per forward pass.
"""

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets.layers import added, interleave_channels, split
from drnas_lib.nets.mixed import MixedCell, MixedEdges
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.nets.stacked import StackedConv


def one_edge(source: MixedEdges, name: str, position: int, x: Tensor, active: Tensor) -> Tensor | None:
    """The operation `name` on one edge: x and its ReLU, (B, c, H, W) -> (B, c, H, W); None is zero. Moves the running statistics."""
    if name in source.shared:
        return source.shared[name](x)
    if name not in source.stacked:
        return None
    stack, place = source.stacked[name], source.positions[name].index(position) * source.channels
    assert isinstance(stack, StackedConv)  # as all stacked operations of this space
    part = slice(place, place + source.channels)
    return stack.norm(F.conv2d(active, stack.weight[part], padding=stack.padding), part=part)


class SinglePathCell(MixedCell):
    """A cell that computes the largest entry of theta on each edge.

    Where theta requires a gradient, an edge gives theta_c op_c(x) + sum of the other theta: these are zero and enter as scalars, as in
    the official GDAS code, so that they receive a gradient without their operations.
    """

    def forward(self, x: Tensor, theta: Tensor, chosen: list[int]) -> Tensor:
        """x (B, C, H, W), theta (E, O), chosen (E,) the operation of each edge -> (B, C, H, W)."""
        arriving: list[Tensor | None] = [None] * len(self.leaving)  # the mixed channels of nodes 1, 2, ...
        bypass = None
        sources = cast("list[MixedEdges]", self.sources)  # the stubs of ModuleList do not say what it holds
        for node, (edges, source) in enumerate(zip(self.leaving, sources)):
            first, rest = split(x, self.k)
            bypass = added(bypass, rest)
            names = [self.operations[chosen[e]] for e in edges]
            active = F.relu(first) if any(name in source.stacked for name in names) else first
            for position, (e, name) in enumerate(zip(edges, names)):
                out = one_edge(source, name, position, first, active)
                if theta.requires_grad:
                    weight = theta[e, chosen[e]]
                    others = theta[e].sum() - weight
                    out = others.expand_as(first) if out is None else out * weight + others
                arriving[node + position] = added(arriving[node + position], out)
            mixed = arriving[node]
            x = interleave_channels(torch.zeros_like(first) if mixed is None else mixed, bypass, self.k)
        return x


class SinglePathNet(Nb201SuperNet):
    """The supernet, with the same weights and names, for a theta that is one-hot on each edge."""

    cell, capturable, memory_draws = SinglePathCell, False, 16

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        chosen = theta.detach().argmax(-1).tolist()[0]  # the host synchronisation
        return self.each_cell(x, theta[0], chosen)
