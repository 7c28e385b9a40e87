"""Layers that both spaces share: batch norm scaled by theta, partial channels (section 2.4), and average pooling."""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5
MOMENTUM = 0.1  # of running statistics


class ScaledBatchNorm(nn.Module):
    """scale (x - mean) / sqrt(var + eps) for each channel, without parameters. With momentum 0 the running statistics stay."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.momentum = MOMENTUM
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, scale: Tensor | None = None, part: slice = slice(None)) -> Tensor:
        """x (B, C, H, W), scale (C,); `part` selects the channels of the statistics where x has only some of them."""
        mean, var = self.running_mean[part], self.running_var[part]
        return F.batch_norm(x, mean, var, scale, None, self.training, self.momentum, EPS)


def freeze(net: nn.Module) -> nn.Module:
    """`net` itself, fixed for studies: its weights require no gradient, and a forward pass does not move its running statistics."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | ScaledBatchNorm):
            module.momentum = 0.0
    return net.requires_grad_(False)


def split(x: Tensor, k: int) -> tuple[Tensor, Tensor | None]:
    """x (B, C, H, W) -> the channels to mix (B, C/K, H, W) and the unmixed ones, None for K = 1."""
    if k == 1:
        return x, None
    C = x.shape[1]
    return x.split([C // k, C - C // k], 1)  # not two slices: the gradients of a split are joined by one operator


def interleave_channels(mixed: Tensor, unmixed: Tensor | None, k: int) -> Tensor:
    """Interleave mixed (B, c, H, W) and unmixed (B, (K-1) c, H, W): channel j of group g moves to j K + g of (B, K c, H, W)."""
    if unmixed is None:
        return mixed
    rest = unmixed.unflatten(1, (k - 1, -1)).transpose(1, 2)  # B c K-1 H W
    joined = torch.cat([mixed[:, :, None], rest], 2).flatten(1, 2)
    return joined.contiguous(memory_format=torch.channels_last) if mixed.stride(1) == 1 else joined


def added(total: Tensor | None, x: Tensor | None) -> Tensor | None:
    """total + x, where None is nothing."""
    if total is None or x is None:
        return x if total is None else total
    return total + x


def next_node(received: Tensor, channels: int) -> tuple[Tensor, Tensor | None]:
    """Split the sums of all later nodes (B, n c, H, W) into that of the next node, with c = `channels`, and those of the others."""
    others = received.shape[1] - channels
    return received.split([channels, others], 1) if others else (received, None)


def avg_pool_3x3(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W) at stride 1, over the pixels inside the image; differentiable twice.

    On a CPU PyTorch's own kernel takes ten times as long as a depthwise convolution with ones, divided by the pixels in each window.
    """
    if x.device.type == "cpu":
        return _WindowMeans.apply(x, False)
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class _WindowMeans(torch.autograd.Function):
    """Window means, or with `adjoint` the transposed map. The window sum is symmetric, so it is its own adjoint."""

    @staticmethod
    def forward(ctx, x: Tensor, adjoint: bool) -> Tensor:
        ctx.adjoint = adjoint
        share = _shares(*x.shape[2:], x.dtype)
        return _window_sums(x * share) if adjoint else _window_sums(x).mul_(share)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return _WindowMeans.apply(grad, not ctx.adjoint), None


def _window_sums(x: Tensor) -> Tensor:
    C = x.shape[1]
    return torch.convolution(x, _ones(C, x.dtype), None, (1, 1), (1, 1), (1, 1), False, (0, 0), C)


@cache
def _ones(channels: int, dtype: torch.dtype) -> Tensor:
    return torch.ones(channels, 1, 3, 3, dtype=dtype)


@cache
def _shares(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """1 / the number of pixels in each window, (1, 1, H, W)."""
    return _window_sums(torch.ones(1, 1, height, width, dtype=dtype)).reciprocal_()
