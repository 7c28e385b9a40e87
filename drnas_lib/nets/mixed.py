"""All edges that leave one node of a cell, computed together.

The edges see the same input, so its ReLU and its pooling are computed once, the convolutions of one kind are one convolution with
the kernels of all edges stacked, and the mixing weights ride on the normalisation (mixed_sum.py). An operation that the mask drops
has no weights here and is never computed. Without sharing, this is eq. 1 of the paper, edge by edge.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.channel_map import ChannelMap, channel_choice
from drnas_lib.nets.mixed_sum import MixedSum, input_means, output_moments, runs
from drnas_lib.nets.pointwise import fold, input_covariance, pointwise_moments
from drnas_lib.nets.pool import WithPool, avg_pool_3x3, band

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
SHARE = {
    ("skip_connect",): lambda x, rows, columns: x.unsqueeze(1),
    ("avg_pool_3x3",): lambda x, rows, columns: avg_pool_3x3(x, rows, columns).unsqueeze(1),
    SHARED: WithPool.apply,
}


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
            moments = output_moments(y.detach(), self.weight, input_means(x.detach(), self.weight.shape[-1]))
        self._remember(*moments, x)
        return y, moments

    def folded(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """For 1x1 kernels: kernel (m c, c) and bias (m c,) of theta times the normalised convolution; theta (m,)."""
        if self.training:
            moments = pointwise_moments(self.weight, *input_covariance(x))
            self._remember(*moments, x)
        else:
            moments = self.running_mean, self.running_var
        return fold(self.weight, theta.repeat_interleave(self.channels), *moments)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, x: Tensor) -> None:
        """Move the running statistics towards the batch's, the variance unbiased as in PyTorch's batch normalisation."""
        count = x.numel() // x.shape[1]
        self.running_mean.lerp_(mean.to(self.running_mean), MOMENTUM)
        self.running_var.lerp_(variance.to(self.running_var) * (count / (count - 1)), MOMENTUM)


class MixedSource(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels.

    `mask` (n, O) names the kept operations, in the order of `operations`.
    """

    def __init__(self, channels: int, operations: tuple[str, ...], mask: Tensor):
        super().__init__()
        self.channels = channels
        self.edges = len(mask)
        self.columns = {name: o for o, name in enumerate(operations)}
        kept = {name: mask[:, o].nonzero().flatten().tolist() for name, o in self.columns.items()}
        self.convolutions = nn.ModuleDict(
            {name: StackedConv(channels, kernel, kept[name]) for name, kernel in KERNELS.items() if kept.get(name)}
        )
        self.shared = [name for name in SHARED if kept.get(name)]
        # One product for all targets needs the operation on every edge; where an edge dropped it, its outputs are summed like the others.
        self.folded = {name for name in self.convolutions if KERNELS[name] == 1 and len(kept[name]) == self.edges}

    def forward(self, x: Tensor, theta: Tensor, base: Tensor | None = None) -> Tensor:
        """x (B, c, H, W), theta (n, O), `base` what the targets have received so far -> (B, n c, H, W), target by target."""
        B, c, H, W = x.shape
        active = F.relu(x) if self.convolutions else None  # B c H W
        pairs, moments, blocks, kernel, bias = [], [], [], None, None
        for name, convolution in self.convolutions.items():
            if name in self.folded:
                kernel, bias = convolution.folded(active, theta[:, self.columns[name]])
                continue
            y, of_y = convolution(active)
            pairs += [y, theta[convolution.positions, self.columns[name]]]
            moments.append(of_y)
            blocks.append(convolution.runs)
        z, theta_z = self._shared(x, theta)
        if bias is None and z is None and not pairs:
            return x.new_zeros(B, self.edges * c, H, W) if base is None else base
        out = MixedSum.apply(self.training, blocks, moments, (B, self.edges, c, H, W), bias, base, z, theta_z, *pairs)
        if kernel is not None:
            out = out.baddbmm_(kernel.expand(B, *kernel.shape), active.flatten(2))  # B n*c H*W
        return out.view(B, -1, H, W)

    def _shared(self, x: Tensor, theta: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """z (B, L, c, H, W) and its weights (n, L): the operations that give every edge the same tensor."""
        if not self.shared:
            return None, None
        H, W = x.shape[2:]
        z = SHARE[tuple(self.shared)](x, band(H, x), band(W, x))
        return z, theta[:, [self.columns[name] for name in self.shared]]

    def grown_from(self, before: "MixedSource", generator: torch.Generator) -> dict[str, ChannelMap]:
        """Where each tensor here comes from in a narrower `before` (eq. 7 and 8); ValueError where that cannot be."""
        if self.channels < before.channels:
            raise ValueError(f"it would shrink from {before.channels} to {self.channels} channels; K can only fall")
        found = {}
        for name, convolution in self.convolutions.items():
            was = before.convolutions[name].positions if name in before.convolutions else []
            if not set(convolution.positions) <= set(was):
                raise ValueError(f"{name} was pruned on an edge and cannot come back")
            edges = torch.tensor([was.index(position) for position in convolution.positions])
            sizes = len(edges), before.channels, self.channels
            out, into = channel_choice(*sizes, generator), channel_choice(*sizes, generator)
            of_channels = ChannelMap(edges, out, before.channels)
            ways = {"weight": ChannelMap(edges, out, before.channels, into), "running_mean": of_channels, "running_var": of_channels}
            found |= {f"convolutions.{name}.{leaf}": way for leaf, way in ways.items()}
        return found
