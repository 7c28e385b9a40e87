"""A 1x1 convolution, its normalisation and its mixing weight as one matrix product.

y = W r is linear, so its batch statistics follow from those of r (statistics.py), without ever computing y. With them known,
theta (y - mean) / sqrt(var + eps) is the product with K = s W plus the bias -s mean(y), s = theta / sqrt(var + eps). Saves writing,
reading and keeping y; the derivative is that of the few small matrices, in float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from drnas_lib.nets.statistics import EPS, Moments


@dataclass(frozen=True)
class Folded:
    """`kernel` K (m, c) and `bias` (m,), and what their derivative needs: weight W (m, c), theta, rsqrt(var + eps), mean(y), each (m,)."""

    kernel: Tensor
    bias: Tensor
    weight: Tensor
    theta: Tensor
    inverse: Tensor
    mean: Tensor

    @classmethod
    def of(cls, weight: Tensor, theta: Tensor, moments: Moments) -> "Folded":
        mean, variance = moments
        inverse = (variance + EPS).rsqrt_()
        scale = theta * inverse
        return cls(scale[:, None] * weight, (scale * mean).neg_(), weight, theta, inverse, mean)

    def of_theta(self, kernel: Tensor, bias: Tensor) -> Tensor:
        """The gradient of theta (m,) from those of `kernel` (m, c) and `bias` (m,)."""
        return torch.addcmul((kernel * self.weight).sum(1), bias, self.mean, value=-1).mul_(self.inverse)

    def of_weight(self, kernel: Tensor) -> Tensor:
        """The gradient of the weight (m, c) at fixed statistics."""
        return (self.theta * self.inverse)[:, None] * kernel

    def through_statistics(self, of_theta: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the statistics add: V W (m, c) with V the gradient of var(y), the gradient of mean(y) (m,) and that of mean(r) (c,)."""
        of_variance = (of_theta * self.theta).mul_(self.inverse.square()).mul_(-0.5)
        of_mean = (bias * self.theta).mul_(self.inverse).neg_()
        return of_variance[:, None] * self.weight, of_mean, self.weight.T @ of_mean
