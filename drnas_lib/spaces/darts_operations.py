"""The operations of the DARTS space in the network of one cell: modules, `OPERATIONS[name](channels, stride, affine)`.

Liu et al., *DARTS* (ICLR 2019), section 3.1.1, with the further operations of the cells published before it, and the noise of
Zela et al., *Understanding and Robustifying Differentiable Architecture Search* (ICLR 2020). An operation keeps the number of
channels. `stride` is 1 or 2; 2 needs an even height and width. `affine` says whether batch normalisations learn a scale and a
shift; the one behind a pooling never does. `PLAIN_POOLS` has the poolings without it, as the S1 to S4 study trained its cells.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from drnas_lib.spaces.nb201_operations import Zero, avg_pool_3x3

Factory = Callable[[int, int, bool], nn.Module]


class FactorizedReduce(nn.Module):
    """Half the height and width: two 1x1 convolutions, one on the even pixels and one on the odd, side by side.

    The pixels are picked before the convolution, not by its stride: at stride 2, with fewer than 8 channels in channels-last order,
    oneDNN's AVX2 gradient of the weights writes past its buffer (its issue 6035).
    """

    def __init__(self, c_in: int, c_out: int, affine: bool):
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(c_in, c_out // 2, 1, bias=False)
        self.odd = nn.Conv2d(c_in, c_out - c_out // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)  # B C_in H W
        return self.norm(torch.cat([self.even(x[:, :, ::2, ::2]), self.odd(x[:, :, 1::2, 1::2])], 1))  # B C_out H/2 W/2


class Noise(nn.Module):
    """Standard normal numbers instead of the input, new ones in every forward pass, in evaluation too; no gradient goes through."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.randn_like(x[:, :, :: self.stride, :: self.stride], requires_grad=False)


def _depthwise_separable(channels: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise convolution, pointwise convolution, batch normalisation."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def sep_conv(channels: int, stride: int, affine: bool, kernel: int) -> nn.Module:
    """Two depthwise separable convolutions; the first has the stride."""
    first = _depthwise_separable(channels, kernel, stride, 1, affine)
    return nn.Sequential(*first, *_depthwise_separable(channels, kernel, 1, 1, affine))


def dil_conv(channels: int, stride: int, affine: bool, kernel: int) -> nn.Module:
    """A depthwise separable convolution with dilation 2."""
    return nn.Sequential(*_depthwise_separable(channels, kernel, stride, 2, affine))


def conv_7x1_1x7(channels: int, stride: int, affine: bool) -> nn.Module:
    across = nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False)
    down = nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False)
    return nn.Sequential(nn.ReLU(), across, down, nn.BatchNorm2d(channels, affine=affine))


def pool_norm(channels: int, stride: int, affine: bool, pool: Factory) -> nn.Module:
    return nn.Sequential(pool(channels, stride, affine), nn.BatchNorm2d(channels, affine=False))


def skip_connect(channels: int, stride: int, affine: bool) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)


PLAIN_POOLS: dict[str, Factory] = {
    "none": lambda channels, stride, affine: Zero(stride),
    "max_pool_3x3": lambda channels, stride, affine: nn.MaxPool2d(3, stride, padding=1),
    "avg_pool_3x3": lambda channels, stride, affine: avg_pool_3x3(stride),
    "skip_connect": skip_connect,
    "sep_conv_3x3": partial(sep_conv, kernel=3),
    "sep_conv_5x5": partial(sep_conv, kernel=5),
    "sep_conv_7x7": partial(sep_conv, kernel=7),
    "dil_conv_3x3": partial(dil_conv, kernel=3),
    "dil_conv_5x5": partial(dil_conv, kernel=5),
    "conv_7x1_1x7": conv_7x1_1x7,
    "noise": lambda channels, stride, affine: Noise(stride),
}
OPERATIONS = PLAIN_POOLS | {name: partial(pool_norm, pool=PLAIN_POOLS[name]) for name in ("max_pool_3x3", "avg_pool_3x3")}
