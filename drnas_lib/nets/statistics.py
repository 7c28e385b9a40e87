"""Sums over batch and pixels as matrix products; and the mean and variance of a 1x1 convolution's output from its input alone.

y = W r is linear: mean(y) = W mean(r), var(y) = diag(W cov(r) W^T). What is subtracted is in float64, so that it costs no digits.
"""

import math

import torch
from torch import Tensor

EPS = 1e-5
MOMENTUM = 0.1  # of running statistics
PARTS = 16
Moments = tuple[Tensor, Tensor]  # mean and biased variance (m,)


def gram(a: Tensor, b: Tensor) -> Tensor:
    """a^T b of tall matrices (N, p) and (N, q), in equal parts: a quarter quicker than one product with so long an inner dimension."""
    parts = math.gcd(len(a), PARTS)
    return torch.bmm(a.view(parts, -1, a.shape[1]).transpose(1, 2), b.view(parts, -1, b.shape[1])).sum(0)


def total(a: Tensor) -> Tensor:
    """The sum of the rows of a (N, p), as a product with ones, (p,)."""
    parts = math.gcd(len(a), PARTS)
    return torch.bmm(a.new_ones(parts, 1, len(a) // parts), a.view(parts, -1, a.shape[1])).sum((0, 1))


def input_moments(r: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (c,) and covariance (c, c) over the rows of r (N, c), float64."""
    mean = total(r).double().div_(len(r))
    return mean, gram(r, r).double().div_(len(r)).addr_(mean, mean, alpha=-1)


def pointwise_moments(weight: Tensor, mean: Tensor, covariance: Tensor) -> Moments:
    """Of the convolution with `weight` (m, c), all in float64."""
    return weight @ mean, ((weight @ covariance) * weight).sum(1).clamp_min_(0.0)
