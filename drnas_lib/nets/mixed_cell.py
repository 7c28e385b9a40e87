"""One cell of the supernet as one differentiable function: node j is the sum over i < j of the mixed edges (i, j).

Every node is an image of its own, to which one source after the other adds what its edge gives. With K > 1 an edge mixes the first c = C/K
channels, lets the others pass and shuffles; the shuffle is the same permutation P on all edges into a node, so it is applied once, to their
sum: X_j = [R_j, sum of what passed] P, R_j (B, H, W, c) the sum of what was mixed.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from drnas_lib.nets import source_sum
from drnas_lib.nets.blocks import identity
from drnas_lib.nets.normalisation import channels_first, flat
from drnas_lib.nets.source_sum import Edges, Images
from drnas_lib.nets.statistics import WHOLE, WholeBatch


@lru_cache(maxsize=64)
def shuffles(channels: int, k: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The shuffle P (C, C), channel g C/K + j to j K + g, in two: its first c rows (c, C), and P with these zero. Constants, made once."""
    moved = torch.arange(channels, device=device).view(k, -1).T.flatten()
    whole = identity(channels, dtype, device)[:, moved]
    rest = whole.clone()
    rest[: channels // k] = 0.0
    return whole[: channels // k], rest


class MixedCell(torch.autograd.Function):
    """`apply(sources, k, batch, running, x, theta, *weights)` -> (B, H, W, C), then mean and variance of both convolutions of every source.

    `sources` is a tuple of Edges, one for each node but the last, in order; x (B, H, W, C); theta (E, O) in the order of the sources;
    `weights` alternates those of the 1x1 and of the 3x3 convolution of each source, None where it has none; `running` is None in
    training, else the statistics to use, in the order of the result. Statistics carry no gradient. Weights that need none cost none.
    """

    @staticmethod
    def forward(ctx, sources: tuple[Edges, ...], k: int, batch: WholeBatch, running, x, theta, *weights):
        c, parts = x.shape[-1] // k, theta.split([edges.edges for edges in sources])
        nodes = passed = None  # the sums of the nodes to come, as far as they are known
        small, images, statistics, of_theta = [], [], [], ctx.needs_input_grad[5]
        for i, (edges, part) in enumerate(zip(sources, parts)):
            used = None if running is None else running[4 * i : 4 * i + 4]
            own = weights[2 * i : 2 * i + 2]
            (node, *nodes), kept, rest, found = source_sum.forward(edges, x[..., :c], part, of_theta, *own, used, nodes, batch)
            images += [kept.x, kept.pooled, kept.active, kept.y]
            small.append(rest)
            statistics += found
            x, passed = _next(node, x, passed, k)
        ctx.save_for_backward(*images, *weights)
        ctx.settings = sources, k, small
        ctx.mark_non_differentiable(*(value for value in statistics if value is not None))
        ctx.set_materialize_grads(False)
        return x.contiguous(), *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad, *_):
        sources, k, small = ctx.settings
        images, weights = ctx.saved_tensors[: 4 * len(sources)], ctx.saved_tensors[4 * len(sources) :]
        needs_x, needs_theta, *needs_weights = ctx.needs_input_grad[4:]
        grad = grad.contiguous()
        nodes, passed = [], None  # the gradients of the mixed sums of the nodes so far, and of what passed by the edges into them
        of_theta, of_weights = [], []
        for i in reversed(range(len(sources))):
            node, passed = _next_back(grad, passed, k)
            nodes.insert(0, node)
            needs = i > 0 or needs_x, needs_theta, *needs_weights[2 * i : 2 * i + 2]
            kept = Images(*images[4 * i : 4 * i + 4])
            found = source_sum.backward(sources[i], nodes, kept, small[i], weights[2 * i + 1], needs)
            of_theta.insert(0, found.theta)
            of_weights[:0] = [found.point, found.wide]
            grad = found.x if k == 1 or found.x is None else _whole(found.x, passed, k)
        return None, None, None, None, grad, torch.cat(of_theta) if needs_theta else None, *of_weights


def _next(node: Tensor, x: Tensor, passed: Tensor | None, k: int) -> tuple[Tensor, Tensor | None]:
    """The next node from the sum of its mixed edges `node` (B, H, W, c), and what passed by all edges into it, (N, C) in its new order.

    The rest of x (B, H, W, C) joins what passed.
    """
    if k == 1:
        return node, None
    of_node, of_rest = shuffles(x.shape[-1], k, x.dtype, x.device)
    passed = flat(x) @ of_rest if passed is None else passed.addmm_(flat(x), of_rest)
    return torch.addmm(passed, flat(node), of_node).view(x.shape), passed


def _next_back(grad: Tensor, passed: Tensor | None, k: int) -> tuple[Tensor, Tensor | None]:
    """The adjoint of `_next`: from the gradient of the next node to those of `node` (B, H, W, c) and of what passed (N, C)."""
    if k == 1:
        return grad, None
    of_node, _ = shuffles(grad.shape[-1], k, grad.dtype, grad.device)
    node = (flat(grad) @ of_node.T).view(*grad.shape[:3], -1)
    return node, flat(grad) if passed is None else passed + flat(grad)


def _whole(mixed: Tensor, passed: Tensor, k: int) -> Tensor:
    """The gradient of a node (B, H, W, C): `mixed` (B, H, W, c) of its first channels, the others' from what passed."""
    of_node, of_rest = shuffles(passed.shape[-1], k, passed.dtype, passed.device)
    first = identity(passed.shape[-1], passed.dtype, passed.device)[: len(of_node)]
    return (passed @ of_rest.T).addmm_(flat(mixed), first).view(*mixed.shape[:3], -1)


def apply(
    sources: Sequence[Edges],
    k: int,
    running: list[Tensor | None] | None,
    x: Tensor,
    theta: Tensor,
    weights: list[Tensor | None],
    batch: WholeBatch = WHOLE,
):
    """The cell's output (B, C, H, W), channels last in memory, and its statistics."""
    out, *statistics = MixedCell.apply(tuple(sources), k, batch, running, x.permute(0, 2, 3, 1).contiguous(), theta, *weights)
    return channels_first(out), statistics
