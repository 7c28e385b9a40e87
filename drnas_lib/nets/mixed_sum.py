"""The mixed operations of all edges that leave one node, as one differentiable function with as few passes over memory as it takes.

For an edge e with c target channels:   out_e = base_e + sum_l theta_el z_l + K_e r + b_e + theta_et (y_e - m_e) / sqrt(v_e + eps)

z_l are what every edge shares (the input itself, its pooling), r = ReLU(x), K_e and b_e the folded 1x1 convolution (pointwise.py) and
y_e the output of the 3x3 convolution, normalised without learnt scale. theta is the scale of the affine map that normalisation needs
anyway, so weighting costs nothing. The derivative is written out: everything that reaches x is added up in place.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets.blocks import Blocks
from drnas_lib.nets.pointwise import Folded
from drnas_lib.nets.pool import avg_pool_3x3
from drnas_lib.nets.statistics import EPS, Moments, input_covariance, input_means, pointwise_moments, wide_moments


@dataclass(frozen=True)
class Edges:
    """What is fixed within a stage: n = `edges`, c = `channels`, and of each operation the edges that keep it, None where none does."""

    edges: int
    channels: int
    skip: Blocks | None
    pool: Blocks | None
    point: Blocks | None
    wide: Blocks | None

    @property
    def width(self) -> int:
        """n c."""
        return self.edges * self.channels

    @property
    def nothing(self) -> bool:
        return self.skip is self.pool is self.point is self.wide is None

    @property
    def shared(self) -> slice:
        """Columns, in theta (n, O), of the operations that give every edge the same tensor."""
        columns = [blocks.column for blocks in (self.skip, self.pool) if blocks is not None]
        return slice(columns[0], columns[-1] + 1, max(columns[-1] - columns[0], 1)) if columns else slice(0)


class MixedSum(torch.autograd.Function):
    """`apply(edges, running, x, theta, base, point, wide)` -> out (B, n c, H, W), mean and variance of `point`, then of `wide`, (m c,) each.

    x (B, c, H, W); theta (n, O); base (B, n c, H, W) or None; weights `point` (m c, c, 1, 1) and `wide` (m c, c, 3, 3) or None;
    `running` None in training, else the statistics to use, in the order of the result. The statistics carry no gradient and are None
    where there is no convolution. Weights that need no gradient cost none.
    """

    @staticmethod
    def forward(ctx, edges: Edges, running, x, theta, base, point, wide):
        B, c, H, W = x.shape
        theta_z = theta[:, edges.shared]  # n L
        z = x.new_empty(theta_z.shape[1], B, c, H, W)
        if edges.skip is not None:
            x = z[0].copy_(x)
        if edges.pool is not None:
            avg_pool_3x3(x, out=z[-1])
        active = seen = folded = covariance = bias = y = None
        of_point = of_wide = None, None
        if point is not None or wide is not None:
            active = F.relu(x)  # B c H W
            seen = input_means(active) if running is None else None
        if point is not None:
            matrix = point.flatten(1).double()
            if running is None:
                mean = seen[:, 1, 1]
                covariance = input_covariance(active, mean)
                of_point = pointwise_moments(matrix, mean, covariance)
            else:
                of_point = running[0].double(), running[1].double()
            folded = Folded.of(matrix, edges.point.theta(theta).double(), of_point)
            bias = edges.point.spread(folded.bias.to(x.dtype))
        scale = None
        if wide is not None:
            y, scale = F.conv2d(active, wide, padding=1), edges.wide.theta(theta)
            of_wide = wide_moments(y, wide, seen) if running is None else running[2:]
            of_wide = of_wide[0].to(x.dtype), of_wide[1].to(x.dtype)
        out = _normalised(edges, x, y, scale, of_wide, bias)
        if folded is not None:
            kernel = edges.point.spread(folded.kernel.to(x.dtype))
            out.view(B, -1, H * W).baddbmm_(kernel.expand(B, -1, -1), active.flatten(2))
        if len(z):
            out.view(B, edges.edges, -1).baddbmm_(theta_z.expand(B, -1, -1), z.view(len(z), B, -1).transpose(0, 1))
        if base is not None:
            out.add_(base)
        ctx.save_for_backward(theta, active, y, z, scale, wide, *of_wide)
        ctx.settings = edges, folded, seen, covariance
        statistics = *of_point, *of_wide
        ctx.mark_non_differentiable(*(value for value in statistics if value is not None))
        ctx.set_materialize_grads(False)
        return out, *statistics

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad, *_):
        edges, folded, seen, covariance = ctx.settings
        theta, active, y, z, scale, wide, mean, variance = ctx.saved_tensors
        _, _, needs_x, needs_theta, needs_base, needs_point, needs_wide = ctx.needs_input_grad
        training, grad = seen is not None, grad.contiguous()
        B, _, H, W = grad.shape
        flat = grad.view(B, -1, H * W)
        grad_x = grad_point = grad_wide = summed = None
        grad_theta = torch.zeros_like(theta) if needs_theta else None
        if wide is not None:
            # The pass that normalisation needs anyway also sums the gradient.
            wanted = [True, needs_theta, folded is not None and edges.wide.everywhere]
            inverse = (variance + EPS).rsqrt_()
            grad_y, grad_scale, summed = torch.ops.aten.native_batch_norm_backward(
                edges.wide.gather(grad, 1), y, scale, mean, variance, mean, inverse, training, EPS, wanted
            )
            if needs_theta:
                edges.wide.add_theta(grad_theta, grad_scale)
            summed = summed if wanted[2] else None
            grad_x, grad_wide, _ = torch.ops.aten.convolution_backward(
                grad_y, active, wide, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [needs_x, needs_wide, False]
            )
            del grad_y
        if folded is not None:
            summed = grad.sum((0, 2, 3)) if summed is None else summed
            grad_x, of_theta, of_weight = _pointwise_backward(
                edges.point, folded, flat, summed, active, seen, covariance, grad_x, needs_x, needs_theta or needs_point
            )
            if needs_theta:
                edges.point.add_theta(grad_theta, of_theta.to(theta.dtype))
            grad_point = of_weight.to(grad.dtype)[..., None, None] if needs_point else None
        if grad_x is not None:
            torch.ops.aten.threshold_backward.grad_input(grad_x, active, 0, grad_input=grad_x)
        if len(z):
            by_edge = grad.view(B, edges.edges, -1)
            if needs_theta:
                grad_theta[:, edges.shared] = torch.bmm(by_edge, z.view(len(z), B, -1).permute(1, 2, 0)).sum(0)  # n L
            if needs_x:
                received = torch.bmm(theta[:, edges.shared].T.expand(B, -1, -1), by_edge).view(B, len(z), -1, H, W)
                grad_x = _add(grad_x, received[:, 0]) if edges.skip is not None else grad_x
                grad_x = _add(grad_x, avg_pool_3x3(received[:, -1], adjoint=True)) if edges.pool is not None else grad_x
        return None, None, grad_x, grad_theta, grad if needs_base else None, grad_point, grad_wide


def _normalised(edges: Edges, x: Tensor, y: Tensor | None, scale: Tensor | None, moments: Moments, bias: Tensor | None) -> Tensor:
    """scale (y - m) / sqrt(v + eps) on the edges that have a y, plus `bias` (n c,): the result's first version, (B, n c, H, W)."""
    mean, variance = moments
    if y is not None and edges.wide.everywhere:
        return F.batch_norm(y, mean, variance, scale, bias, training=False, eps=EPS)
    shift = x.new_zeros(edges.width) if bias is None else bias
    if y is None:
        return shift[None, :, None, None].expand(len(x), -1, *x.shape[2:]).contiguous()
    gain = scale * (variance + EPS).rsqrt_()
    shift = edges.wide.spread(-gain * mean) + shift
    out = shift[None, :, None, None].expand(len(x), -1, *x.shape[2:]).contiguous()
    for run in edges.wide.of_channels:
        out[:, run.whole].addcmul_(y[:, run.stacked], gain[run.stacked, None, None])
    return out


def _pointwise_backward(blocks, folded, flat, summed, active, seen, covariance, grad_x, needs_x, needs_kernel):
    """grad_x (B, c, H, W) with the folded convolution's part added, and the gradients of its theta (m c,) and weight (m c, c).

    flat (B, n c, H*W) is the gradient of the result and `summed` (n c,) its sum; `seen` and `covariance` are None at fixed statistics.
    """
    B, count, of_theta, of_weight = len(flat), flat.shape[0] * flat.shape[2], None, None
    rest = active.flatten(2)
    if needs_kernel or seen is not None:
        of_kernel = blocks.gather(torch.bmm(flat, rest.transpose(1, 2)).sum(0)).double()  # m*c c
        of_bias = blocks.gather(summed).double()
        of_theta, of_weight = folded.backward(of_kernel, of_bias)
    if needs_x:
        kernel = blocks.spread(folded.kernel.to(flat.dtype)).T.expand(B, -1, -1)
        if grad_x is None:
            grad_x = torch.bmm(kernel, flat).view_as(active)
        else:
            grad_x.view(B, -1, flat.shape[2]).baddbmm_(kernel, flat)
    if seen is not None:
        mean = seen[:, 1, 1]
        weighted, of_output_mean, of_mean = folded.through_statistics(of_theta, of_bias)
        of_weight = of_weight.addmm_(weighted, covariance, alpha=2).addr_(of_output_mean, mean)
        if needs_x:
            matrix = (folded.weight.T @ weighted).mul_(2 / count)  # the covariance's part, symmetric
            shift = of_mean.div_(count).sub_(matrix @ mean)
            grad_x.view(B, -1, flat.shape[2]).baddbmm_(matrix.to(flat.dtype).expand(B, -1, -1), rest)
            grad_x.add_(shift.to(flat.dtype)[:, None, None])
    return grad_x, of_theta, of_weight


def _add(total: Tensor | None, part: Tensor) -> Tensor:
    return part.contiguous() if total is None else total.add_(part)
