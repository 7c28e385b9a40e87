"""The sum over the candidate operations of the edges that leave one node (eq. 1), all edges at once.

PyTorch alone would copy the gradient once for every slice that a sum is written to; this function does not. It is twice
differentiable, because its backward pass consists of differentiable operators.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

Edges = tuple[int, ...]
Stacked = tuple[Tensor, Edges]  # an output for each of the m edges, already weighted by theta: (B, m c, H, W)
Shared = tuple[Tensor, Tensor, Edges]  # one output for all m edges, (B, c, H, W), and their theta (m, 1, 1, 1)


def mixture(edges: int, received: Tensor | None, stacked: Sequence[Stacked], shared: Sequence[Shared]) -> Tensor:
    """`received` (B, n c, H, W) or nothing, plus all outputs at the channels of their edges: (B, n c, H, W) for n = `edges`."""
    places = [at for _, at in stacked], [at for _, _, at in shared]
    outputs = [value for value, _ in stacked], [value for value, _, _ in shared], [theta for _, theta, _ in shared]
    return _Mixture.apply(edges, places, received, *(tensor for tensors in outputs for tensor in tensors))


class _Mixture(torch.autograd.Function):
    @staticmethod
    def forward(ctx, edges: int, places: tuple[list[Edges], list[Edges]], received: Tensor | None, *tensors: Tensor) -> Tensor:
        ctx.edges, ctx.places = edges, places
        of_stacked, of_shared = places
        a, b = len(of_stacked), len(of_stacked) + len(of_shared)
        stacked, shared, theta = tensors[:a], tensors[a:b], tensors[b:]
        out = _by_edge(_start(edges, received, stacked, shared, of_stacked), edges)  # B n c H W
        for value, at in zip(stacked, of_stacked):
            if len(at) < edges:
                for e, own in zip(at, _by_edge(value, len(at)).unbind(1)):
                    out[:, e].add_(own)
        for value, weight, at in zip(shared, theta, of_shared):
            if len(at) == edges:
                out.addcmul_(value[:, None], weight)
            else:
                for e, own in zip(at, weight.unbind()):
                    out[:, e].addcmul_(value, own)
        needs_theta = ctx.needs_input_grad[3 + b :]
        ctx.save_for_backward(*theta, *(value if needed else None for value, needed in zip(shared, needs_theta)))
        return out.flatten(1, 2)

    @staticmethod
    def backward(ctx, grad: Tensor):
        of_stacked, of_shared = ctx.places
        theta, shared = ctx.saved_tensors[: len(of_shared)], ctx.saved_tensors[len(of_shared) :]
        by_edge = _by_edge(grad, ctx.edges)  # B n c H W
        to_stacked = [grad if len(at) == ctx.edges else torch.cat([by_edge[:, e] for e in at], 1) for at in of_stacked]
        to_shared = [_weighted(by_edge, weight, at) for weight, at in zip(theta, of_shared)]
        to_theta = [None if value is None else _products(by_edge, value, at) for value, at in zip(shared, of_shared)]
        return None, None, grad if ctx.needs_input_grad[2] else None, *to_stacked, *to_shared, *to_theta


def _by_edge(x: Tensor, edges: int) -> Tensor:
    """(B, m c, H, W) -> (B, m, c, H, W), a view."""
    return x.unflatten(1, (edges, -1))


def _start(edges: int, received: Tensor | None, stacked, shared, of_stacked: list[Edges]) -> Tensor:
    """A new tensor (B, n c, H, W): the sum of all that has a part for every edge, or zeros."""
    whole = [value for value, at in zip(stacked, of_stacked) if len(at) == edges]
    whole = whole if received is None else [received, *whole]
    if not whole:
        like, channels = (stacked[0], stacked[0].shape[1] // len(of_stacked[0])) if stacked else (shared[0], shared[0].shape[1])
        zeros = like.new_zeros(len(like), edges * channels, *like.shape[2:])
        return zeros.contiguous(memory_format=torch.channels_last) if like.stride(1) == 1 else zeros
    out = whole[0] + whole[1] if len(whole) > 1 else whole[0].clone()
    for value in whole[2:]:
        out.add_(value)
    return out


def _weighted(grad: Tensor, theta: Tensor, at: Edges) -> Tensor:
    """The sum over edges of theta_e grad_e: (B, c, H, W) from grad (B, n, c, H, W)."""
    first, *others = zip(at, theta.unbind())
    total = grad[:, first[0]] * first[1]
    for e, weight in others:
        total.addcmul_(grad[:, e], weight)
    return total


def _products(grad: Tensor, value: Tensor, at: Edges) -> Tensor:
    """<grad_e, value> for each edge: (m, 1, 1, 1)."""
    own = grad if len(at) == grad.shape[1] else torch.stack([grad[:, e] for e in at], 1)
    return (own * value[:, None]).sum((0, 2, 3, 4)).view(-1, 1, 1, 1)
