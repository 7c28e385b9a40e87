"""Batch norm statistics over the images of all processes, on any device: PyTorch's SyncBatchNorm needs GPUs.

Every process has an equal share of a batch, so the statistics of the batch are the means of theirs. All images depend on the common
statistics, so the backward pass averages the gradients of the statistics too. With averaged gradients of the weights, a step then equals
that of one process with all images.
"""

import torch
import torch.distributed
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from drnas_lib.nets.layers import EPS, ScaledBatchNorm
from drnas_lib.parallel.averages import averaged


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: Tensor):
        return averaged([value])[0]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        return averaged([grad])[0]


def normalised(x: Tensor, running_mean: Tensor, running_var: Tensor, momentum: float, eps: float) -> Tensor:
    """Normalise x (B, C, H, W), the share of this process, by mean and variance of the whole batch; updates the running statistics (C,)."""
    B, C, H, W = x.shape
    count = B * H * W * torch.distributed.get_world_size()
    mean = _Average.apply(x.mean((0, 2, 3)))  # C
    centred = x - mean[:, None, None]
    variance = _Average.apply(centred.square().mean((0, 2, 3)))  # C, biased
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    return centred * torch.rsqrt(variance + eps)[:, None, None]


class SynchronisedNorm(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the whole batch; it always tracks running statistics."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        self.num_batches_tracked += 1
        y = normalised(x, self.running_mean, self.running_var, self.momentum, self.eps)
        return y * self.weight[:, None, None] + self.bias[:, None, None] if self.affine else y


class SynchronisedScaledNorm(ScaledBatchNorm):
    """ScaledBatchNorm whose mean and variance in training are those of the whole batch."""

    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor, scale: Tensor | None = None, part: slice = slice(None)) -> Tensor:
        if not self.training:
            return super().forward(x, scale, part)
        y = normalised(x, self.running_mean[part], self.running_var[part], self.momentum, EPS)
        return y if scale is None else y * scale[:, None, None]


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {nn.BatchNorm2d: SynchronisedNorm, ScaledBatchNorm: SynchronisedScaledNorm}


def synchronised(net: nn.Module) -> nn.Module:
    """`net` with statistics over all processes and the same parameters and buffers. On GPUs SyncBatchNorm replaces BatchNorm2d."""
    if next(net.parameters()).device.type == "cuda":
        net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in net.modules():
        module.__class__ = SYNCHRONISED.get(type(module), type(module))
    return net
