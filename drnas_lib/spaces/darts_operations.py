"""The candidate operations of the DARTS space as modules: `OPERATIONS[name](c_in, c_out, stride, affine)`.

Liu et al., *DARTS* (ICLR 2019), section 3.1.1, with the further operations of the cells published before it, and the noise of
Zela et al., *Understanding and Robustifying Differentiable Architecture Search* (ICLR 2020). `affine` says whether batch
normalisations learn a scale and a shift; the one behind a pooling never does. `PLAIN_POOLS` has the poolings bare, as the
S1 to S4 study retrained them. A stride is 1 or 2, and 2 wants an even height and width.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from drnas_lib.spaces.operations import Zero, relu_conv_bn

Factory = Callable[[int, int, int, bool], nn.Module]


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


class PoolNorm(nn.Sequential):
    """A pooling and the batch normalisation behind it, which learns nothing."""


def _depthwise(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)


def _pointwise(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 1, bias=False)


def _separable(kernel: int) -> Factory:
    """ReLU, depthwise, pointwise, normalisation, twice; the stride is in the first half."""

    def make(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
        first = [nn.ReLU(), _depthwise(c_in, kernel, stride), _pointwise(c_in, c_in), nn.BatchNorm2d(c_in, affine=affine)]
        second = [nn.ReLU(), _depthwise(c_in, kernel, 1), _pointwise(c_in, c_out), nn.BatchNorm2d(c_out, affine=affine)]
        return nn.Sequential(*first, *second)

    return make


def _dilated(kernel: int) -> Factory:
    """ReLU, depthwise with dilation 2, pointwise, normalisation."""

    def make(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
        norm = nn.BatchNorm2d(c_out, affine=affine)
        return nn.Sequential(nn.ReLU(), _depthwise(c_in, kernel, stride, dilation=2), _pointwise(c_in, c_out), norm)

    return make


def conv_7x1_1x7(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    across = nn.Conv2d(c_in, c_out, (1, 7), (1, stride), (0, 3), bias=False)
    down = nn.Conv2d(c_out, c_out, (7, 1), (stride, 1), (3, 0), bias=False)
    return nn.Sequential(nn.ReLU(), across, down, nn.BatchNorm2d(c_out, affine=affine))


def max_pool_3x3(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    _same_width("max_pool_3x3", c_in, c_out)
    return nn.MaxPool2d(3, stride, padding=1)


def avg_pool_3x3(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    _same_width("avg_pool_3x3", c_in, c_out)
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def _normalised(pool: Factory) -> Factory:
    def make(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
        return PoolNorm(pool(c_in, c_out, stride, affine), nn.BatchNorm2d(c_out, affine=False))

    return make


def none(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    return Zero(c_out, stride)


def skip_connect(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    """The input itself; at stride 2 a FactorizedReduce."""
    if stride == 1:
        _same_width("skip_connect", c_in, c_out)
        return nn.Identity()
    return FactorizedReduce(c_in, c_out, affine)


def noise(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    _same_width("noise", c_in, c_out)
    return Noise(stride)


def project(c_in: int, c_out: int, affine: bool) -> nn.Module:
    """How a cell brings an input of its own resolution to its width: ReLU, 1x1 convolution, normalisation."""
    return relu_conv_bn(c_in, c_out, 1, 1, affine)


def _same_width(name: str, c_in: int, c_out: int) -> None:
    if c_in != c_out:
        raise ValueError(f"{name} keeps the number of channels; asked for {c_in} -> {c_out}")


PLAIN_POOLS: dict[str, Factory] = {
    "none": none,
    "max_pool_3x3": max_pool_3x3,
    "avg_pool_3x3": avg_pool_3x3,
    "skip_connect": skip_connect,
    "sep_conv_3x3": _separable(3),
    "sep_conv_5x5": _separable(5),
    "sep_conv_7x7": _separable(7),
    "dil_conv_3x3": _dilated(3),
    "dil_conv_5x5": _dilated(5),
    "conv_7x1_1x7": conv_7x1_1x7,
    "noise": noise,
}
OPERATIONS: dict[str, Factory] = PLAIN_POOLS | {name: _normalised(PLAIN_POOLS[name]) for name in ("max_pool_3x3", "avg_pool_3x3")}
