"""Batch statistics over the images of all processes, on any device: PyTorch's own synchronised normalisation runs on GPUs only.

Every process has an equal share of a batch, so the batch's statistics are the means of theirs; what one process' loss says of a common
statistic concerns the images of all, so in the backward pass these gradients are averaged too. A step then equals that of one process with
all images, once the gradients of the weights are averaged as well.
"""

import torch
import torch.distributed
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from drnas_lib.nets.layers import EPS, ScaledBatchNorm


def averaged(values: list[Tensor]) -> list[Tensor]:
    """Of each value the mean over the processes, in one exchange; all are of one dtype and on one device."""
    together = torch.cat([value.reshape(-1) for value in values])
    torch.distributed.all_reduce(together)
    together.div_(torch.distributed.get_world_size())
    return [part.view(value.shape) for part, value in zip(together.split([value.numel() for value in values]), values)]


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *values: Tensor):
        return tuple(averaged(list(values)))

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor):
        return tuple(averaged(list(grads)))


def normalised(x: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float, eps: float) -> Tensor:
    """x (B, C, H, W), this process' share, by mean and variance of the whole batch; moves the running statistics (C,)."""
    B, C, H, W = x.shape
    count = B * H * W * torch.distributed.get_world_size()
    (mean,) = _Average.apply(x.mean((0, 2, 3)))  # C
    centred = x - mean[:, None, None]
    (variance,) = _Average.apply(centred.square().mean((0, 2, 3)))  # C, biased
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    return centred * torch.rsqrt(variance + eps)[:, None, None]


class SynchronisedNorm(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        self.num_batches_tracked += 1
        y = normalised(x, self.running_mean, self.running_var, self.momentum, self.eps)
        return y * self.weight[:, None, None] + self.bias[:, None, None] if self.affine else y


class SynchronisedScaledNorm(ScaledBatchNorm):
    """ScaledBatchNorm whose mean and variance in training are those of the whole batch."""

    def forward(self, x: Tensor, scale: Tensor | None = None, part: slice = slice(None)) -> Tensor:
        if not self.training:
            return super().forward(x, scale, part)
        y = normalised(x, self.running_mean[part], self.running_var[part], self.momentum, EPS)
        return y if scale is None else y * scale[:, None, None]


OVER_RANKS = {nn.BatchNorm2d: SynchronisedNorm, ScaledBatchNorm: SynchronisedScaledNorm}


def synchronised(net: nn.Module) -> nn.Module:
    """`net` with statistics over all processes; parameters and buffers stay. On GPUs SyncBatchNorm replaces BatchNorm2d."""
    if next(net.parameters()).device.type == "cuda":
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in net.modules():
        module.__class__ = OVER_RANKS.get(type(module), type(module))
    return net
