"""Sums over batch and pixels as matrix products; and the mean and variance of a 1x1 convolution's output from its input alone.

y = W r is linear: mean(y) = W mean(r), var(y) = diag(W cov(r) W^T). What is subtracted is in float64, so that it costs no digits.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

EPS = 1e-5
MOMENTUM = 0.1  # of running statistics
PARTS = 16
WIDE = 64  # columns, from which on PyTorch's own sum is the quicker one; measured
Moments = tuple[Tensor, Tensor]  # mean and biased variance (m,)


class WholeBatch:
    """How what a process counts over its images becomes that of the batch: here it sees them all. rank_norm.py has the other case."""

    parts = 1  # of equal size

    def average(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Of each value the mean over the parts of the batch. Autograd goes through."""
        return values

    def norm(self, x: Tensor, running_mean: Tensor, running_var: Tensor, training: bool) -> Tensor:
        """Batch normalisation of x (B, C, H, W) without learnt scale; in training it moves the running statistics (C,)."""
        return F.batch_norm(x, running_mean, running_var, None, None, training, MOMENTUM, EPS)


WHOLE = WholeBatch()


def gram(a: Tensor, b: Tensor) -> Tensor:
    """a^T b of tall matrices (N, p) and (N, q), in equal parts: a quarter quicker than one product with so long an inner dimension."""
    parts = math.gcd(len(a), PARTS)
    return torch.bmm(a.view(parts, -1, a.shape[1]).transpose(1, 2), b.view(parts, -1, b.shape[1])).sum(0)


def total(a: Tensor) -> Tensor:
    """The sum of the rows of a (N, p), (p,); of narrow rows as a product with ones."""
    if a.shape[1] >= WIDE:
        return a.sum(0)
    parts = math.gcd(len(a), PARTS)
    return torch.bmm(ones(parts, len(a) // parts, a.dtype, a.device), a.view(parts, -1, a.shape[1])).sum((0, 1))


@lru_cache(maxsize=64)
def ones(parts: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(parts, 1, length): a constant, so made once."""
    return torch.ones(parts, 1, length, dtype=dtype, device=device)


def input_moments(r: Tensor, batch: WholeBatch = WHOLE) -> tuple[Tensor, Tensor]:
    """Mean (c,) and covariance (c, c) of the batch of which the rows of r (N, c) are this process' part, float64."""
    mean, square = batch.average(total(r).double().div_(len(r)), gram(r, r).double().div_(len(r)))
    return mean, square.addr_(mean, mean, alpha=-1)


def pointwise_moments(weight: Tensor, mean: Tensor, covariance: Tensor) -> Moments:
    """Of the convolution with `weight` (m, c), all in float64."""
    return weight @ mean, ((weight @ covariance) * weight).sum(1).clamp_min_(0.0)
