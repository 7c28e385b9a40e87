"""The supernet's weights with one operation on each edge: what is not chosen is neither computed nor kept for the backward pass.

Which kernels to launch is the host's decision, so the choice is read from `theta`: one wait per forward pass where theta lives on a GPU.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets.mixed import KERNELS, MixedSource
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.statistics import WHOLE, WholeBatch
from drnas_lib.nets.supernet import SuperCell, SuperNet
from drnas_lib.spaces.space import Space


def chosen_conv(source: MixedSource, name: str, position: int, active: Tensor, batch: WholeBatch = WHOLE) -> Tensor:
    """The convolution `name` of one edge, normalised; `active` (B, c, H, W) is the input after its ReLU. Moves the running statistics."""
    stack = source.convolutions[name]
    place = stack.positions.index(position) * source.channels
    part = slice(place, place + source.channels)
    y = F.conv2d(active, stack.weight[part], padding=KERNELS[name] // 2)
    return batch.norm(y, stack.running_mean[part], stack.running_var[part], stack.training)


def pooled(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class SinglePathCell(SuperCell):
    """A cell that computes the largest entry of theta on each edge.

    Where theta asks for a gradient, an edge gives theta_c op_c(x) + sum of the other theta: these are zero and enter as scalars, as in
    the official GDAS code, so that they receive a gradient without their operations.
    """

    def __init__(self, space: Space, channels: int, k: int, mask: Tensor):
        super().__init__(space, channels, k, mask)
        self.operations = space.operations

    def forward(self, x: Tensor, theta: Tensor, chosen: list[int]) -> Tensor:
        """x (B, C, H, W), theta (E, O), chosen (E,) the operation of each edge -> (B, C, H, W)."""
        arriving: list[Tensor | None] = [None] * len(self.leaving)  # the mixed channels of nodes 1, 2, ...
        bypass = None
        for node, (edges, source) in enumerate(zip(self.leaving, self.sources)):
            mixed, passed = (x, None) if self.k == 1 else x.split([self.mixed, x.shape[1] - self.mixed], 1)
            bypass = passed if bypass is None else bypass + passed
            names = {e: self.operations[chosen[e]] for e in edges}
            active = F.relu(mixed) if any(name in KERNELS for name in names.values()) else None
            for position, e in enumerate(edges):
                out = self._edge(source, names[e], position, mixed, active)
                if theta.requires_grad:
                    weight = theta[e, chosen[e]]
                    others = theta[e].sum() - weight
                    out = others.expand_as(mixed) if out is None else out * weight + others
                if out is not None:
                    before = arriving[node + position]
                    arriving[node + position] = out if before is None else before + out
            x = torch.zeros_like(mixed) if arriving[node] is None else arriving[node]
            if self.k > 1:
                x = channel_shuffle(torch.cat([x, bypass], 1), self.k)
        return x

    def _edge(self, source: MixedSource, name: str, position: int, x: Tensor, active: Tensor | None) -> Tensor | None:
        """One operation of one edge; None is zero."""
        if name in KERNELS:
            return chosen_conv(source, name, position, active, self.batch)
        return {"none": lambda: None, "skip_connect": lambda: x, "avg_pool_3x3": lambda: pooled(x)}[name]()


class SinglePathNet(SuperNet):
    """`forward(x, theta)` as the supernet, with the weights and names of the supernet, for a theta that is one-hot on each edge."""

    cell = SinglePathCell

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        chosen = theta.detach().argmax(-1).tolist()[0]  # the one wait
        return super(SuperNet, self).forward(x, theta[0], chosen)
