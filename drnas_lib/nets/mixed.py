"""All edges that leave one node of a cell, computed together.

The edges see the same input, so its ReLU and its pooling are computed once, the convolutions of one kind are one convolution with
the kernels of all edges stacked, and the mixing weights ride on the normalisation (mixed_sum.py). An operation that the mask drops
has no weights here and is never computed. Without sharing, this is eq. 1 of the paper, edge by edge.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.mixed_sum import MixedSum, input_means, output_moments, runs
from drnas_lib.nets.pool import avg_pool_3x3, band

MOMENTUM = 0.1

def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """The 1x1 convolution as one matrix product per image: on a CPU twice as quick as the convolution, which rearranges its input first."""
    B, _, H, W = x.shape
    kernel = weight.flatten(1)
    return torch.bmm(kernel.expand(B, *kernel.shape), x.flatten(2)).view(B, -1, H, W)


def around(x: Tensor, weight: Tensor) -> Tensor:
    """The 3x3 convolution that keeps the size."""
    return F.conv2d(x, weight, padding=1)


CONVOLVE = {1: pointwise, 3: around}
KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # ReLU, convolution, normalisation: an output of its own for every edge
SHARED = ("skip_connect", "avg_pool_3x3")  # the same tensor for every edge


class StackedConv(nn.Module):
    """The convolutions of one kind on the edges at `positions`: `weight` (m c, c, k, k), edge by edge, and running statistics (m c,)."""

    def __init__(self, channels: int, kernel: int, positions: list[int]):
        super().__init__()
        width = len(positions) * channels
        self.channels = channels
        self.positions = positions
        self.runs = runs(positions, channels)
        self.convolve = CONVOLVE[kernel]
        self.weight = nn.Parameter(torch.empty(width, channels, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d; stacking leaves the fan-in as it is
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """y (B, m c, H, W) and the mean and variance to normalise it with, each (m c,)."""
        y = self.convolve(x, self.weight)
        if not self.training:
            return y, (self.running_mean, self.running_var)
        with torch.no_grad():
            seen = input_means(x.detach(), self.weight.shape[-1])
            mean, variance = output_moments(y.detach(), self.weight, seen)
            count = y.shape[0] * y.shape[2] * y.shape[3]
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(variance * (count / (count - 1)), MOMENTUM)
        return y, (mean, variance)


class MixedSource(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels.

    `mask` (n, O) names the kept operations, in the order of `operations`.
    """

    def __init__(self, channels: int, operations: tuple[str, ...], mask: Tensor):
        super().__init__()
        self.channels = channels
        self.edges = len(mask)
        kept = {name: mask[:, o].nonzero().flatten().tolist() for o, name in enumerate(operations)}
        self.convolutions = nn.ModuleDict(
            {name: StackedConv(channels, kernel, kept[name]) for name, kernel in KERNELS.items() if kept.get(name)}
        )
        self.columns = {name: o for o, name in enumerate(operations)}
        self.shared = [name for name in SHARED if kept.get(name)]
        self.pools = "avg_pool_3x3" in self.shared

    def forward(self, x: Tensor, theta: Tensor, base: Tensor | None = None) -> Tensor:
        """x (B, c, H, W), theta (n, O), `base` what the targets have received so far -> (B, n c, H, W), target by target."""
        B, c, H, W = x.shape
        pairs, moments, blocks = [], [], []
        if self.convolutions:
            active = F.relu(x)  # B c H W
            for name, convolution in self.convolutions.items():
                y, of_y = convolution(active)
                pairs += [y, theta[convolution.positions, self.columns[name]]]
                moments.append(of_y)
                blocks.append(convolution.runs)
        z = theta_z = None
        if self.shared:
            tensors = [x] + ([avg_pool_3x3(x, band(H, x), band(W, x))] if self.pools else [])
            z = torch.stack(tensors[-len(self.shared) :], 1)  # B L c H W
            theta_z = theta[:, [self.columns[name] for name in self.shared]]  # n L
        elif not pairs:
            return x.new_zeros(B, self.edges * c, H, W) if base is None else base
        return MixedSum.apply(self.training, blocks, moments, (self.edges, c, H, W), base, z, theta_z, *pairs)
