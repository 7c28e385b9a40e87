"""The weighted sum over the operations of all edges that leave one node, in as few passes over memory as it takes.

For an edge e with target channels c:   out_e = sum_l theta_el z_l  +  sum_t theta_et (y_te - m_te) / sqrt(v_te + eps)

z_l are tensors that every edge shares (the input itself, its pooling); y_t are outputs of convolutions, one block of channels for
each edge that keeps the operation, normalised without learnt scale. theta is the scale of the affine map that normalisation needs
anyway, so weighting costs nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-5


@dataclass(frozen=True)
class Run:
    """A block of consecutive edges: channels [source, source + length) of y go to channels [target, target + length) of out."""

    target: int
    source: int
    length: int


def runs(positions: list[int], channels: int) -> tuple[Run, ...]:
    """`positions` (ascending) of the edges that keep an operation, as the fewest blocks of `channels` channels each."""
    found: list[Run] = []
    for place, position in enumerate(positions):
        if found and found[-1].target + found[-1].length == position * channels:
            last = found.pop()
            found.append(Run(last.target, last.source, last.length + channels))
        else:
            found.append(Run(position * channels, place * channels, channels))
    return tuple(found)


def batch_moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel of y (B, C, H, W), each (C,).

    Two row sums vectorise, where a one-pass variance on a CPU does not: this takes a quarter of the time. The rows are added up in
    float64, so that subtracting the squared mean costs no digits.
    """
    B, C, H, W = y.shape
    rows = y.reshape(B, C, H * W)
    count = B * H * W
    mean = rows.sum(2).sum(0, dtype=torch.float64) / count
    square = torch.linalg.vector_norm(rows, dim=2).double().square().sum(0) / count
    return mean.to(y.dtype), (square - mean.square()).clamp_min(0.0).to(y.dtype)


class MixedSum(torch.autograd.Function):
    """`apply(training, blocks, moments, base, z, theta_z, *pairs)`.

    `base` (B, n c, H, W) or None is added to the result; z (B, L, c, H, W) or None with theta_z (n, L); `pairs` alternates y_t
    (B, m_t c, H, W) and theta_t (m_t,); `blocks[t]` are the runs of y_t and `moments[t]` its mean and variance, each (m_t c,).
    Returns (B, n c, H, W).
    """

    @staticmethod
    def forward(ctx, training, blocks, moments, shape, base, z, theta_z, *pairs):
        n, c, H, W = shape
        B = (z if z is not None else pairs[0]).shape[0]
        if z is None:
            like = pairs[0]
            out = like.new_zeros(B, n * c, H, W) if base is None else base.clone(memory_format=torch.contiguous_format)
        else:
            weights = theta_z.expand(B, *theta_z.shape)  # B n L
            flat = z.view(B, z.shape[1], -1)  # B L c*H*W
            if base is None:
                out = torch.bmm(weights, flat)
            else:
                out = torch.baddbmm(base.reshape(B, n, -1), weights, flat)
            out = out.view(B, n * c, H, W)
        shift = out.new_zeros(n * c)
        for y, theta, block, (mean, variance) in zip(pairs[::2], pairs[1::2], blocks, moments):
            scale = theta.repeat_interleave(c) * torch.rsqrt(variance + EPS)  # m*c
            for run in block:
                part, place = slice(run.source, run.source + run.length), slice(run.target, run.target + run.length)
                out[:, place].addcmul_(y[:, part], scale[None, part, None, None])
                shift[place].addcmul_(scale[part], mean[part])
        out.sub_(shift[None, :, None, None])
        ctx.save_for_backward(z, theta_z, *pairs, *(m for pair in moments for m in pair))
        ctx.settings = training, blocks, shape, len(pairs) // 2
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        training, blocks, (n, c, H, W), convolutions = ctx.settings
        z, theta_z, *rest = ctx.saved_tensors
        pairs, moments = rest[: 2 * convolutions], rest[2 * convolutions :]
        grad = grad.contiguous()
        B = grad.shape[0]
        grad_z = grad_theta_z = None
        if z is not None:
            by_edge = grad.view(B, n, -1)  # B n c*H*W
            flat = z.view(B, z.shape[1], -1)  # B L c*H*W
            if ctx.needs_input_grad[5]:
                grad_z = torch.bmm(theta_z.T.expand(B, *theta_z.T.shape), by_edge).view_as(z)
            if ctx.needs_input_grad[6]:
                grad_theta_z = torch.bmm(by_edge, flat.transpose(1, 2)).sum(0)  # n L
        gradients = []
        for t in range(convolutions):
            y, theta = pairs[2 * t : 2 * t + 2]
            mean, variance = moments[2 * t : 2 * t + 2]
            parts = [grad.narrow(1, run.target, run.length) for run in blocks[t]]
            received = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
            wanted = [ctx.needs_input_grad[7 + 2 * t], ctx.needs_input_grad[8 + 2 * t], False]
            grad_y, grad_scale, _ = torch.ops.aten.native_batch_norm_backward(
                received.contiguous(), y, theta.repeat_interleave(c), mean, variance,
                mean, torch.rsqrt(variance + EPS), training, EPS, wanted,
            )  # fmt: skip
            gradients += [grad_y, grad_scale.view(-1, c).sum(1) if wanted[1] else None]
        return None, None, None, None, grad if ctx.needs_input_grad[4] else None, grad_z, grad_theta_z, *gradients
