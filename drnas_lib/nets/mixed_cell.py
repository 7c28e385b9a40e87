"""One cell of the supernet as one differentiable function: node j is the sum over i < j of the mixed edges (i, j).

What the later nodes have received travels from source to source as one tensor R (B, H, W, n c), the next node first. With K > 1 an edge
mixes the first c = C/K channels, lets the others pass and shuffles; the shuffle is the same permutation P on all edges into a node, so it
is applied once, to their sum: X_j = [R_j, sum of what passed] P.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from drnas_lib.nets import source_sum
from drnas_lib.nets.source_sum import Edges, Images, flat


@lru_cache(maxsize=64)
def shuffle(channels: int, k: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """P (C, C): channel g C/K + j moves to j K + g, so that K equal blocks of channels are interleaved. A constant, so made once."""
    moved = torch.arange(channels, device=device).view(k, -1).T.flatten()
    return torch.eye(channels, dtype=dtype, device=device)[:, moved]


class MixedCell(torch.autograd.Function):
    """`apply(sources, k, running, x, theta, *weights)` -> (B, H, W, C), then mean and variance of both convolutions of every source.

    `sources` is a tuple of Edges, one for each node but the last, in order; x (B, H, W, C); theta (E, O) in the order of the sources;
    `weights` alternates those of the 1x1 and of the 3x3 convolution of each source, None where it has none; `running` is None in
    training, else the statistics to use, in the order of the result. Statistics carry no gradient. Weights that need none cost none.
    """

    @staticmethod
    def forward(ctx, sources: tuple[Edges, ...], k: int, running, x, theta, *weights):
        c, parts = x.shape[-1] // k, theta.split([edges.edges for edges in sources])
        received = passed = None
        small, images, statistics = [], [], []
        for i, (edges, part) in enumerate(zip(sources, parts)):
            used = None if running is None else running[4 * i : 4 * i + 4]
            base = None if received is None else received[..., c:]
            received, kept, rest, found = source_sum.forward(edges, x[..., :c], part, *weights[2 * i : 2 * i + 2], used, base)
            images += [kept.x, kept.pooled, kept.active, kept.y]
            small.append(rest)
            statistics += found
            x, passed = _next(received[..., :c], x, passed, k)
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
        needs_theta, needs_weights = ctx.needs_input_grad[4], ctx.needs_input_grad[5:]
        c, of_theta, of_weights = grad.shape[-1] // k, [], []
        received = passed = None  # the gradient of what the targets received, and of what passed by the edges into them
        for i in reversed(range(len(sources))):
            node, passed = _previous(grad, passed, c, k)
            received = node.contiguous() if received is None else torch.cat([node, received], -1)
            needs = i > 0 or ctx.needs_input_grad[3], needs_theta, *needs_weights[2 * i : 2 * i + 2]
            kept = Images(*images[4 * i : 4 * i + 4])
            found = source_sum.backward(sources[i], received, kept, small[i], weights[2 * i + 1], needs)
            of_theta.insert(0, found.theta)
            of_weights[:0] = [found.point, found.wide]
            grad = found.x if k == 1 or found.x is None else torch.cat([found.x, passed], -1)
        return None, None, None, grad, torch.cat(of_theta) if needs_theta else None, *of_weights


def _next(node: Tensor, x: Tensor, passed: Tensor | None, k: int) -> tuple[Tensor, Tensor | None]:
    """The next node from the sum of its mixed edges `node` (B, H, W, c), and the sum of what passed by all edges into it."""
    if k == 1:
        return node, None
    c, C = node.shape[-1], x.shape[-1]
    passed = x[..., c:] if passed is None else passed + x[..., c:]
    P = shuffle(C, k, x.dtype, x.device)
    joined = (flat(node) @ P[:c]).addmm_(flat(passed), P[c:])
    return joined.view(*x.shape), passed


def _previous(grad: Tensor, passed: Tensor | None, c: int, k: int) -> tuple[Tensor, Tensor | None]:
    """The adjoint of `_next`: the gradients of `node` (B, H, W, c) and of the sum that passed, from that of the next node."""
    if k == 1:
        return grad, None
    back = (flat(grad) @ shuffle(grad.shape[-1], k, grad.dtype, grad.device).T).view(grad.shape)
    return back[..., :c], back[..., c:] if passed is None else back[..., c:] + passed


def apply(sources: Sequence[Edges], k: int, running: list[Tensor | None] | None, x: Tensor, theta: Tensor, weights: list[Tensor | None]):
    """The cell's output (B, C, H, W), channels last in memory, and its statistics."""
    out, *statistics = MixedCell.apply(tuple(sources), k, running, x.permute(0, 2, 3, 1).contiguous(), theta, *weights)
    return source_sum.channels_first(out), statistics
