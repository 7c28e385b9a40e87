"""Batch normalisation over the images of all processes, on any device: PyTorch's own synchronised one runs on GPUs only."""

import torch
import torch.distributed
import torch.distributed.nn.functional as distributed
from torch import Tensor, nn


class RankNorm(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance in training are those of the whole batch; every process has an equal share of it.

    The sums go through `all_reduce` with its gradient, so a step equals that of one process with all images.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        B, C, H, W = x.shape
        count = B * H * W * torch.distributed.get_world_size()
        mean = distributed.all_reduce(x.sum((0, 2, 3))) / count  # C
        centred = x - mean[:, None, None]
        variance = distributed.all_reduce(centred.square().sum((0, 2, 3))) / count  # C, biased
        if self.track_running_stats:
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        y = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        return y * self.weight[:, None, None] + self.bias[:, None, None] if self.affine else y


def across_ranks(net: nn.Module) -> nn.Module:
    """`net` with every BatchNorm2d replaced by one over all processes, which has the same parameters and buffers.

    On GPUs by PyTorch's SyncBatchNorm, elsewhere by RankNorm.
    """
    if next(net.parameters()).device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _over_ranks(child))
    return net


def _over_ranks(norm: nn.BatchNorm2d) -> RankNorm:
    new = RankNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    new.weight, new.bias = norm.weight, norm.bias  # the very parameters, which an optimiser may hold already
    new.running_mean, new.running_var, new.num_batches_tracked = norm.running_mean, norm.running_var, norm.num_batches_tracked
    return new.train(norm.training)
