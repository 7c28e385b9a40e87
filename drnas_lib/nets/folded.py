"""1x1 convolutions of several edges, their normalisation and their mixing weights as one batched matrix product.

y = W x is linear, so mean(y) = W mean(x) and var(y) = diag(W cov(x) W^T) are known before y is computed. Then theta (y - mean) /
sqrt(var + eps) is x times s W, plus the bias -s mean, with s = theta / sqrt(var + eps): neither y nor the pass that normalises
it exists. Autograd follows the few small matrices.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from drnas_lib.nets.statistics import EPS, WHOLE, WholeBatch


class _Moments(torch.autograd.Function):
    """Mean (m, c) and mean square (m, c, c) of x (B, m, c, L) over batch and pixels, in float64."""

    @staticmethod
    def forward(ctx, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        B, m, c, L = x.shape
        flat = x.reshape(B * m, c, L)
        square = torch.bmm(flat, flat.transpose(1, 2)).view(B, m, c, c)
        return x.sum(-1).sum(0, dtype=torch.float64) / (B * L), square.sum(0, dtype=torch.float64) / (B * L)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_mean: Tensor, of_square: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        B, m, c, L = x.shape
        both = ((of_square + of_square.transpose(1, 2)) / (B * L)).to(x.dtype).expand(B, m, c, c).reshape(B * m, c, c)
        constant = (of_mean / (B * L)).to(x.dtype)[..., None].expand(B, m, c, 1).reshape(B * m, c, 1)
        return torch.baddbmm(constant, both, x.reshape(B * m, c, L)).view(B, m, c, L)


def folded_pointwise(
    x: Tensor, kernel: Tensor, theta: Tensor | None, statistics: tuple[Tensor, Tensor] | None, batch: WholeBatch = WHOLE
) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, m, c_in, L), or (B, 1, c_in, L) shared by all edges; kernel (m, c, c_in); theta (m,), None for 1.

    Without `statistics` = (mean, variance), each (m c,), those of `batch` are used, of which x is this process' part.
    Returns theta times the normalised result, (B, m, c, L), and the mean and biased variance, (m, c) each.
    """
    B, shared, c_in, L = x.shape
    m, c, _ = kernel.shape
    weight = kernel.double()
    if statistics is None:
        of_x, square = batch.average(*_Moments.apply(x))
        covariance = square - of_x[:, :, None] * of_x[:, None, :]
        mean = torch.matmul(weight, of_x[:, :, None])[..., 0]  # m c
        variance = (torch.matmul(weight, covariance) * weight).sum(-1).clamp_min(0.0)  # m c
    else:
        mean, variance = (value.double().view(m, c) for value in statistics)
    scale = torch.rsqrt(variance + EPS)
    if theta is not None:
        scale = scale * theta.double()[:, None]
    product, bias = (scale[..., None] * weight).to(x.dtype), (-scale * mean).to(x.dtype)
    if shared == 1:
        out = torch.baddbmm(bias.view(1, m * c, 1), product.view(1, m * c, c_in).expand(B, -1, -1), x[:, 0])
    else:
        many = product.expand(B, m, c, c_in).reshape(B * m, c, c_in), x.reshape(B * m, c_in, L)
        out = torch.baddbmm(bias.expand(B, m, c).reshape(B * m, c, 1), *many)
    return out.view(B, m, c, L), mean, variance
