"""The supernet with a weight for each whole edge, mixed channels and those that pass by alike (PC-DARTS' edge normalisation)."""

import torch
from torch import Tensor

from drnas_lib.nets import source_sum
from drnas_lib.nets.mixed import MixedSource, remember
from drnas_lib.nets.normalisation import channels_first
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.source_sum import Edges
from drnas_lib.nets.statistics import WholeBatch
from drnas_lib.nets.supernet import SuperCell, SuperNet


class MixedEdges(torch.autograd.Function):
    """`apply(edges, batch, running, x, theta, point, wide)` -> the n mixed edges of one node, (B, H, W, c) each, then their statistics.

    As in mixed_cell.py, for one node: x (B, H, W, c), theta (n, O).
    """

    @staticmethod
    def forward(ctx, edges: Edges, batch: WholeBatch, running, x, theta, point, wide):
        of_theta = ctx.needs_input_grad[4]
        sums, kept, small, statistics = source_sum.forward(edges, x, theta, of_theta, point, wide, running, batch=batch)
        ctx.save_for_backward(kept.x, kept.pooled, kept.active, kept.y, wide)
        ctx.settings = edges, small
        ctx.mark_non_differentiable(*(value for value in statistics if value is not None))
        ctx.set_materialize_grads(False)
        return *sums, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grads):
        (edges, small), (*images, wide) = ctx.settings, ctx.saved_tensors
        grads = [grad.contiguous() for grad in grads[: edges.edges]]
        found = source_sum.backward(edges, grads, source_sum.Images(*images), small, wide, ctx.needs_input_grad[3:])
        return None, None, None, found.x, found.theta, found.point, found.wide


class EdgeWeightedCell(SuperCell):
    """A cell that is told, beside the mixing weights, what multiplies all that an edge gives."""

    def forward(self, x: Tensor, theta: Tensor, weight: Tensor) -> Tensor:
        """x (B, C, H, W); in the order of `leaving`, theta times the weight (E, O) and the weight of each edge (E,) -> (B, C, H, W)."""
        if self.k == 1:
            return super().forward(x, theta)
        sizes = [len(edges) for edges in self.leaving]
        received: list[Tensor | float] = [0.0] * len(sizes)  # of nodes 1, 2, ...: the mixed channels, (B, c, H, W)
        passing: list[Tensor | float] = [0.0] * len(sizes)  # and those that pass by
        for node, (mixing, of_edges, source) in enumerate(zip(theta.split(sizes), weight.split(sizes), self.sources)):
            mixed, passed = x.split([self.mixed, x.shape[1] - self.mixed], 1)
            for place, (part, of_edge) in enumerate(zip(self._mixed(source, mixed, mixing), of_edges.unbind()), start=node):
                received[place] = received[place] + part
                passing[place] = passing[place] + of_edge * passed
            x = channel_shuffle(torch.cat([received[node], passing[node]], 1), self.k)
        return x

    def _mixed(self, source: MixedSource, x: Tensor, theta: Tensor) -> list[Tensor]:
        running = None if self.training else source.running()
        found = MixedEdges.apply(source.edges, self.batch, running, x.permute(0, 2, 3, 1), theta, *source.weights())
        sums, used = found[: source.edges.edges], found[source.edges.edges :]
        if self.training:
            remember([source], used, self.batch.parts * x.numel() // x.shape[1])
        return [channels_first(edge) for edge in sums]


class EdgeWeightedNet(SuperNet):
    """`forward(x, theta)` with theta (G, E, O + 1): the mixing weights of an edge, then the weight of the edge."""

    cell = EdgeWeightedCell

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        mixing, weight = theta[0, :, :-1], theta[0, :, -1]
        return super(SuperNet, self).forward(x, self.in_order(mixing * weight[:, None]), self.in_order(weight))
