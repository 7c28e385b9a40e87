"""A 1x1 convolution, its normalisation and its mixing weight as one matrix product.

y = W x is linear, so the batch statistics of y follow from those of x, without ever computing y:
mean(y) = W mean(x), var(y) = diag(W cov(x) W^T). With them known, theta (y - mean) / sqrt(var + eps) is the product with
s W plus the bias -s mean, s = theta / sqrt(var + eps). Saves writing, reading and keeping y. Autograd follows the few small matrices.
"""

import torch
from torch import Tensor

from drnas_lib.nets.mixed_sum import EPS


def input_covariance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (c,) and covariance (c, c) over batch and pixels of x (B, c, H, W), in float64; differentiable."""
    flat = x.flatten(2)  # B c H*W
    count = flat.shape[0] * flat.shape[2]
    mean = flat.sum(2).sum(0, dtype=torch.float64) / count
    square = torch.bmm(flat, flat.transpose(1, 2)).sum(0, dtype=torch.float64) / count
    return mean, square - torch.outer(mean, mean)


def pointwise_moments(weight: Tensor, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (m,) of the convolution with `weight` (m, c, 1, 1), in float64; differentiable."""
    kernel = weight.flatten(1).double()  # m c
    return kernel @ mean, ((kernel @ covariance) * kernel).sum(1).clamp_min(0.0)


def fold(weight: Tensor, theta: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel (m, c) and bias (m,) in the dtype of `weight` (m, c, 1, 1); theta, mean, variance are (m,)."""
    scale = theta.double() * torch.rsqrt(variance.double() + EPS)
    return (scale[:, None] * weight.flatten(1)).to(weight.dtype), (-scale * mean).to(weight.dtype)
