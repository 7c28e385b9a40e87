"""Batch normalisation scaled by the mixing weights: mixing an operation then needs no operator of its own."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5
MOMENTUM = 0.1  # of running statistics


class ScaledBatchNorm(nn.Module):
    """scale (x - mean) / sqrt(var + eps), channel by channel; nothing is learnt. With momentum 0 the running statistics stay."""

    def __init__(self, channels: int):
        super().__init__()
        self.momentum = MOMENTUM
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, scale: Tensor | None = None, part: slice = slice(None)) -> Tensor:
        """x (B, C, H, W), scale (C,); `part` names the channels of the statistics where x has not all of them."""
        mean, var = self.running_mean[part], self.running_var[part]
        return F.batch_norm(x, mean, var, scale, None, self.training, self.momentum, EPS)


def unchanging(net: nn.Module) -> nn.Module:
    """`net` itself, for studies that look at it: no weight asks for a gradient, and no forward pass moves the running statistics."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | ScaledBatchNorm):
            module.momentum = 0.0
    return net.requires_grad_(False)
