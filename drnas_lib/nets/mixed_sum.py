"""The weighted sum over the operations of all edges that leave one node, in as few passes over memory as it takes.

For an edge e with target channels c:   out_e = sum_l theta_el z_l  +  sum_t theta_et (y_te - m_te) / sqrt(v_te + eps)

z_l are tensors that every edge shares (the input itself, its pooling); y_t are outputs of convolutions, one block of channels for
each edge that keeps the operation, normalised without learnt scale. theta is the scale of the affine map that normalisation needs
anyway, so weighting costs nothing.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

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


def input_means(x: Tensor, kernel: int) -> Tensor:
    """Mean over batch and positions of what each weight of a size-keeping convolution sees, zeros beyond the border included.

    x (B, c, H, W) -> (c, k, k) in float64. Its product with the weights is the mean of the convolution's output.
    """
    B, _, H, W = x.shape
    margin = kernel // 2
    total = F.pad(x.sum(0).double(), (margin,) * 4)  # c H+2m W+2m
    return total.unfold(1, H, 1).unfold(2, W, 1).sum((-2, -1)) / (B * H * W)


def output_moments(y: Tensor, weight: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (m,) of y (B, m, H, W), the convolution with `weight` (m, c, k, k) of an input that has `seen` (c, k, k).

    The mean comes from the small input and the squares from row norms, which vectorise: a fifth of the time of a one-pass variance on a
    CPU. What is subtracted is added up in float64, so that it costs no digits.
    """
    B, m, H, W = y.shape
    mean = weight.flatten(1).double() @ seen.flatten()
    square = torch.linalg.vector_norm(y.reshape(B, m, H * W), dim=2).double().square().sum(0) / (B * H * W)
    return mean.to(y.dtype), (square - mean.square()).clamp_min(0.0).to(y.dtype)


@dataclass(frozen=True)
class _Term:
    """One y_t in the forward pass: `weight` is theta of every channel, (m c,)."""

    y: Tensor
    weight: Tensor
    mean: Tensor
    variance: Tensor
    runs: tuple[Run, ...]

    @cached_property
    def scale(self) -> Tensor:
        return self.weight * torch.rsqrt(self.variance + EPS)

    def covers(self, width: int) -> bool:
        """Whether it is there for every channel of the result."""
        return self.runs == (Run(0, 0, width),)

    def slices(self) -> list[tuple[slice, slice]]:
        """Channels of y and of the result, run by run."""
        return [(slice(r.source, r.source + r.length), slice(r.target, r.target + r.length)) for r in self.runs]


class MixedSum(torch.autograd.Function):
    """`apply(training, blocks, moments, shape, bias, base, z, theta_z, *pairs)` with shape = (B, n, c, H, W).

    `bias` (n c,) or None and `base` (B, n c, H, W) or None are added to the result; z (B, L, c, H, W) or None with theta_z (n, L);
    `pairs` alternates y_t (B, m_t c, H, W) and theta_t (m_t,); `blocks[t]` are the runs of y_t and `moments[t]` its mean and variance,
    each (m_t c,). Returns (B, n c, H*W).
    """

    @staticmethod
    def forward(ctx, training, blocks, moments, shape, bias, base, z, theta_z, *pairs):
        B, n, c, H, W = shape
        terms = [
            _Term(y, theta.repeat_interleave(c), mean, variance, block)
            for y, theta, block, (mean, variance) in zip(pairs[::2], pairs[1::2], blocks, moments)
        ]
        like = next(tensor for tensor in (bias, z, *pairs) if tensor is not None)
        shift = like.new_zeros(n * c) if bias is None else bias.clone()
        for term in terms:
            for part, place in term.slices():
                shift[place].addcmul_(term.scale[part], term.mean[part], value=-1.0)
        whole = next((t for t, term in enumerate(terms) if term.covers(n * c)), None)
        if whole is not None:  # normalising it writes the result's first version, all shifts included
            first = terms.pop(whole)
            rest = torch.addcmul(shift, first.scale, first.mean)
            out = F.batch_norm(first.y.flatten(2), first.mean, first.variance, first.weight, rest, training=False, eps=EPS)
        else:
            out = shift[None, :, None].expand(B, -1, H * W).contiguous()
        for term in terms:
            for part, place in term.slices():
                out[:, place].addcmul_(term.y[:, part].flatten(2), term.scale[None, part, None])
        if z is not None:
            out.view(B, n, -1).baddbmm_(theta_z.expand(B, *theta_z.shape), z.flatten(2))
        if base is not None:
            out.add_(base.flatten(2))
        ctx.save_for_backward(z, theta_z, *pairs, *(m for pair in moments for m in pair))
        ctx.settings = training, blocks, shape, len(pairs) // 2, whole
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        training, blocks, (B, n, c, H, W), convolutions, whole = ctx.settings
        z, theta_z, *rest = ctx.saved_tensors
        pairs, moments = rest[: 2 * convolutions], rest[2 * convolutions :]
        grad = grad.reshape(B, n * c, H, W)
        grad_bias = grad_z = grad_theta_z = None
        by_edge = grad.view(B, n, -1)  # B n c*H*W
        if ctx.needs_input_grad[6]:
            grad_z = torch.bmm(theta_z.T.expand(B, *theta_z.T.shape), by_edge).view_as(z)
        if ctx.needs_input_grad[7]:
            grad_theta_z = torch.bmm(by_edge, z.flatten(2).transpose(1, 2)).sum(0)  # n L
        gradients = []
        for t in range(convolutions):
            y, theta = pairs[2 * t : 2 * t + 2]
            mean, variance = moments[2 * t : 2 * t + 2]
            parts = [grad.narrow(1, run.target, run.length) for run in blocks[t]]
            received = parts[0].contiguous() if len(parts) == 1 else torch.cat(parts, 1)
            sums = ctx.needs_input_grad[4] and t == whole  # the pass that normalisation needs anyway also sums the gradient
            wanted = [ctx.needs_input_grad[8 + 2 * t], ctx.needs_input_grad[9 + 2 * t], sums]
            grad_y, grad_scale, summed = torch.ops.aten.native_batch_norm_backward(
                received, y, theta.repeat_interleave(c), mean, variance, mean, torch.rsqrt(variance + EPS), training, EPS, wanted
            )
            grad_bias = summed if sums else grad_bias
            gradients += [grad_y, grad_scale.view(-1, c).sum(1) if wanted[1] else None]
        if ctx.needs_input_grad[4] and grad_bias is None:
            grad_bias = grad.sum((0, 2, 3))
        return None, None, None, None, grad_bias, grad if ctx.needs_input_grad[5] else None, grad_z, grad_theta_z, *gradients
