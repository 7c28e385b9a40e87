"""The mixed operations of all edges that leave one node, forward and backward, in as few passes over memory as it takes.

For an edge e:   out_e = base_e + theta_e,skip x + theta_e,pool pool(x) + K_e r + b_e + theta_e,wide (y_e - m_e) / sqrt(v_e + eps)

r = ReLU(x); K_e and b_e are the folded 1x1 convolution (pointwise.py); y_e is the output of the 3x3 convolution, normalised without
learnt scale, so that theta is the scale of the affine map that normalisation needs anyway. What every edge shares is computed once; the
convolutions serve all edges that keep them together, the folded one as a product (N, c) by (c, m c), N = B H W pixels, m edges. The
derivative is written out: what reaches x is added up in place. Images are (B, H, W, c), channels last: a convolution rearranges nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets import normalisation, passes, winograd
from drnas_lib.nets.blocks import Blocks
from drnas_lib.nets.compiled import serves
from drnas_lib.nets.normalisation import channels_first, flat
from drnas_lib.nets.pointwise import Folded
from drnas_lib.nets.pool import avg_pool_3x3, avg_pool_3x3_adjoint_
from drnas_lib.nets.statistics import WHOLE, Moments, WholeBatch, gram, input_moments, pointwise_moments
from drnas_lib.nets.statistics import total as sum_of_rows


@dataclass(frozen=True)
class Edges:
    """What is fixed within a stage: n = `edges`, c = `channels`, and of each operation the edges that keep it, None where none does."""

    edges: int
    channels: int
    skip: Blocks | None
    pool: Blocks | None
    point: Blocks | None
    wide: Blocks | None

    @cached_property
    def alike(self) -> bool:
        """Whether the edges that keep the 1x1 are those that keep the 3x3 convolution: the one is then added to the other's output."""
        return self.point is not None and self.wide is not None and self.point.positions == self.wide.positions

    @cached_property
    def places(self) -> Tensor:
        """(n, 4), for passes.py: where an edge's channels begin in the 3x3 convolution and in the 1x1; skip's and pool's column of theta.

        -1 where the edge lacks the operation.
        """
        begin = [blocks.begins() if blocks else [-1] * self.edges for blocks in (self.wide, self.point)]
        column = [blocks.columns() if blocks else [-1] * self.edges for blocks in (self.skip, self.pool)]
        return torch.tensor([*begin, *column]).T.contiguous()


@dataclass(frozen=True)
class Images:
    """What the backward pass needs: x, its pooling and r, (B, H, W, c) each, and y (B, H, W, m c), as far as there is any."""

    x: Tensor | None
    pooled: Tensor | None
    active: Tensor | None
    y: Tensor | None


@dataclass(frozen=True)
class Small:
    """What else it needs: theta (n, O), the folded convolution, mean and covariance of r; scale, mean, variance, rsqrt(var + eps) of y."""

    theta: Tensor
    folded: Folded | None
    input: Moments | None
    scale: Tensor | None
    mean: Tensor | None
    variance: Tensor | None
    inverse: Tensor | None
    training: bool
    compiled: bool  # whether passes.py serves
    batch: WholeBatch


@dataclass(frozen=True)
class Gradients:
    x: Tensor | None  # B H W c
    theta: Tensor | None  # n O
    point: Tensor | None
    wide: Tensor | None


def forward(
    edges: Edges,
    x: Tensor,
    theta: Tensor,
    of_theta: bool,
    point: Tensor | None,
    wide: Tensor | None,
    running: list[Tensor | None] | None = None,
    bases: Sequence[Tensor] | None = None,
    batch: WholeBatch = WHOLE,
) -> tuple[list[Tensor], Images, Small, list[Tensor | None]]:
    """The mixed operations of x (B, H, W, c): n of them, added in place to `bases`, what their targets have so far, where there are any.

    theta (n, O), `of_theta` whether its gradient will be asked for; `point` (m c, c, 1, 1), `wide` (m c, c, 3, 3); `running`: mean and
    variance of `point`, then of `wide`, None in training. x is this process' part of `batch`. Returns the sums, what `backward` needs, and
    the statistics that were used, in the order of `running`.
    """
    training, x, compiled = running is None, x.contiguous(), serves(x, theta, wide, point)
    active = F.relu(x) if point is not None or wide is not None else None
    folded = of_input = bias = y = scale = inverse = product = None
    as_map = None, None
    statistics: list[Tensor | None] = [None] * 4 if training else running
    convolved: list[tuple[Blocks, Tensor]] = []  # outputs side by side, B H W m*c
    if point is not None:
        matrix = point.flatten(1).double()
        if training:
            of_input = input_moments(flat(active), batch)
            statistics[:2] = pointwise_moments(matrix, *of_input)
        folded = Folded.of(matrix, edges.point.theta(theta).double(), (statistics[0].double(), statistics[1].double()))
        bias = folded.bias.to(x.dtype)
    if wide is not None:
        y = _convolve(active, wide)
        scale, used = edges.wide.theta(theta), None if training else running[2:]
        if compiled:
            as_map, statistics[2:], inverse = normalisation.as_affine(y, scale, None, used, batch)
        else:
            shift = bias if edges.alike else None
            normal, statistics[2:], inverse = normalisation.normalise(y, scale, shift, used, batch)
            convolved.append((edges.wide, normal))
    if folded is not None and edges.alike and not compiled:
        flat(normal).addmm_(flat(active), folded.kernel.to(x.dtype).T)
    elif folded is not None:
        product = torch.addmm(bias, flat(active), folded.kernel.to(x.dtype).T)
        convolved.append((edges.point, product.view(*x.shape[:3], -1)))
    pooled = avg_pool_3x3(x) if edges.pool is not None else None
    skipped = x if edges.skip is not None else None
    if compiled:
        sums = [torch.empty_like(x) for _ in range(edges.edges)] if bases is None else list(bases)
        passes.mix(theta, edges.places, sums, bases is None, skipped, pooled, y, *as_map, product)
    else:
        scaled = [(blocks, images) for blocks, images in ((edges.skip, x), (edges.pool, pooled)) if blocks is not None]
        sums = [torch.zeros_like(x) if edge is None else edge for edge in _sums(edges, bases, convolved, scaled, theta)]
    small = Small(theta, folded, of_input, scale, *statistics[2:], inverse, training, compiled, batch)
    kept = Images(skipped if of_theta else None, pooled if of_theta else None, active, y)
    return sums, kept, small, statistics


def _sums(edges: Edges, bases, convolved, scaled, theta: Tensor) -> Iterator[Tensor | None]:
    """For each edge the sum of its base, of its channels of what is `convolved`, and of what is `scaled` by theta; None where all lack."""
    parts = [dict(zip(blocks.positions, images.split(edges.channels, -1))) for blocks, images in convolved]
    weights = theta.unbind()
    for edge in range(edges.edges):
        total = None if bases is None else bases[edge]
        adding = [of_edge[edge] for of_edge in parts if edge in of_edge]
        mixing = [(images, weights[edge][blocks.column]) for blocks, images in scaled if edge in blocks.positions]
        if total is None and adding and mixing:  # what is convolved lies among the channels of other edges: the sum is a new image
            total = torch.addcmul(adding.pop(), *mixing.pop())
        for images, weight in mixing:
            total = images * weight if total is None else total.addcmul_(images, weight)
        for part in adding:
            total = part.contiguous() if total is None else total.add_(part)
        yield total


def backward(edges: Edges, grads: Sequence[Tensor], kept: Images, small: Small, wide: Tensor | None, needs: tuple[bool, ...]) -> Gradients:
    """From the gradient of the sum, n of (B, H, W, c), one for each edge, to those of what `needs` (x, theta, point, wide) says."""
    needs_x, needs_theta, needs_point, needs_wide = needs
    grad_theta = torch.zeros_like(small.theta) if needs_theta else None
    grad_x = grad_point = grad_wide = total = None
    of_wide = None if wide is None else edges.wide.side_by_side(grads)
    if wide is not None:
        sums = edges.alike  # of the gradient, from the pass that normalisation needs anyway
        used = (small.mean, small.variance), small.inverse, small.training
        grad_y, grad_scale, total = normalisation.backward(of_wide, kept.y, small.scale, *used, needs_theta, sums, small.batch)
        if needs_theta:
            edges.wide.add_theta(grad_theta, grad_scale)
        grad_x, grad_wide = _through_wide(grad_y, kept.active, wide, needs_x, needs_wide)
        del grad_y
    shift = products = None
    if small.folded is not None:
        rows = flat(of_wide if edges.alike else edges.point.side_by_side(grads))
        grad_x = torch.zeros_like(kept.active) if grad_x is None and needs_x else grad_x
        into = flat(grad_x) if needs_x else None
        total = total if edges.alike else sum_of_rows(rows)
        grad_point, shift = _through_pointwise(edges.point, rows, total, flat(kept.active), small, into, grad_theta, needs_point)
    if needs_x and small.compiled:
        grad_x = torch.zeros_like(grads[0]) if grad_x is None else grad_x
        of_edges = small.theta, edges.places, grads, edges.skip is not None, edges.pool is not None
        products = passes.back(*of_edges, kept.active, shift, grad_x, needs_theta, kept.x, kept.pooled)
    elif needs_x:
        grad_x = _back(edges, grads, small.theta, kept.active, shift, grad_x)
    for place, (blocks, images) in enumerate(((edges.skip, kept.x), (edges.pool, kept.pooled))):
        if blocks is not None and needs_theta:
            if products is None:
                blocks.add_products(grad_theta, images, grads)
            else:
                blocks.put_theta(grad_theta, products[:, place])
    return Gradients(grad_x, grad_theta, grad_point, grad_wide)


def _convolve(r: Tensor, wide: Tensor) -> Tensor:
    """The 3x3 convolution of r (B, H, W, c), padded by 1, with `wide` (m c, c, 3, 3): (B, H, W, m c)."""
    if winograd.pays(r, wide):
        return winograd.convolve(r, wide)
    return F.conv2d(channels_first(r), wide, padding=1).permute(0, 2, 3, 1).contiguous()


def _through_wide(grad: Tensor, r: Tensor, wide: Tensor, needs_x: bool, needs_wide: bool) -> tuple[Tensor | None, Tensor | None]:
    """From the gradient of `_convolve` to those of r and of `wide`, where they are needed."""
    if winograd.pays(r, wide):
        of_r = winograd.input_gradient(grad, wide) if needs_x else None
        return of_r, winograd.weight_gradient(grad, r) if needs_wide else None
    apart = needs_wide and winograd.pays_by_weight(grad, r)
    of_r, of_wide, _ = torch.ops.aten.convolution_backward(
        *(channels_first(grad), channels_first(r), wide, None),
        *([1, 1], [1, 1], [1, 1], False, [0, 0], 1, [needs_x, needs_wide and not apart, False]),
    )
    of_wide = winograd.weight_gradient(grad, r) if apart else of_wide
    return of_r.permute(0, 2, 3, 1).contiguous() if needs_x else None, of_wide


def _back(edges: Edges, grads, theta: Tensor, active: Tensor | None, shift: Tensor | None, grad_x: Tensor | None) -> Tensor:
    """The rest of the way to the gradient of x: from grad_x, plus `shift` (c,), through the ReLU; then what skip and pool give back."""
    if shift is not None:
        grad_x.add_(shift)
    if active is not None:
        torch.ops.aten.threshold_backward.grad_input(grad_x, active, 0, grad_input=grad_x)
    if edges.skip is not None:
        grad_x = edges.skip.scaled_back(grads, theta, grad_x)
    if edges.pool is not None:
        received = avg_pool_3x3_adjoint_(edges.pool.scaled_back(grads, theta))
        grad_x = received if grad_x is None else grad_x.add_(received)
    return torch.zeros_like(grads[0]) if grad_x is None else grad_x


def _through_pointwise(blocks, rows, total, r, small, grad_x, grad_theta, needs_point) -> tuple[Tensor | None, Tensor | None]:
    """Add the folded convolution's part to grad_x (N, c) and grad_theta (n, O), where these are not None.

    rows (N, m c) is the gradient of the result, `total` its sum, r (N, c) the input. Returns the gradient of the weight, and what is still
    to be added to every row of grad_x, (c,).
    """
    folded = small.folded
    if grad_x is not None:
        grad_x.addmm_(rows, folded.kernel.to(rows.dtype))
    if grad_theta is None and not needs_point and not small.training:
        return None, None
    shift, count = None, rows.shape[0]
    of_kernel, of_bias = gram(rows, r).double(), total.double()  # m*c c, m*c
    of_theta = folded.of_theta(of_kernel, of_bias)
    if grad_theta is not None:
        blocks.add_theta(grad_theta, of_theta.to(rows.dtype))
    grad_weight = folded.of_weight(of_kernel) if needs_point else None
    if small.training:
        mean, covariance = small.input
        weighted, of_output_mean, of_mean = folded.through_statistics(of_theta, of_bias)
        if needs_point:
            grad_weight.addmm_(weighted, covariance, alpha=2).addr_(of_output_mean, mean)
        if grad_x is not None:
            weighted, of_mean = small.batch.average(weighted, of_mean)  # the weight's own share stays that of this process
            matrix = (folded.weight.T @ weighted).mul_(2 / count)  # the covariance's part, symmetric
            shift = of_mean.div_(count).sub_(matrix @ mean).to(rows.dtype)
            grad_x.addmm_(r, matrix.to(rows.dtype))
    return grad_weight.to(rows.dtype)[..., None, None] if needs_point else None, shift
