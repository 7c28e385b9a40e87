"""The candidate operations of NAS-Bench-201 as modules: `OPERATIONS[name](c_in, c_out, stride, affine)`.

The operations, and their order ReLU, convolution, batch normalisation, are those of Dong & Yang, *NAS-Bench-201*
(ICLR 2020), section 2.1. `affine` says whether the batch normalisations learn a scale and a shift: they do in a
network that is trained on its own, and do not in a supernet.
"""

from collections.abc import Callable

from torch import Tensor, nn


class Zero(nn.Module):
    """No connection: zeros of the shape that the edge would give."""

    def __init__(self, c_out: int, stride: int):
        super().__init__()
        self.c_out = c_out
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        return x.new_zeros(batch, self.c_out, -(-height // self.stride), -(-width // self.stride))  # B C H W


def relu_conv_bn(c_in: int, c_out: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU, convolution without bias padded to keep the size, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=affine),
    )


def none(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    return Zero(c_out, stride)


def skip_connect(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    if c_in != c_out or stride != 1:
        raise ValueError(f"skip_connect keeps the shape; asked for {c_in} -> {c_out} channels at stride {stride}")
    return nn.Identity()


def nor_conv_1x1(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    return relu_conv_bn(c_in, c_out, 1, stride, affine)


def nor_conv_3x3(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    return relu_conv_bn(c_in, c_out, 3, stride, affine)


def avg_pool_3x3(c_in: int, c_out: int, stride: int, affine: bool) -> nn.Module:
    if c_in != c_out:
        raise ValueError(f"avg_pool_3x3 keeps the number of channels; asked for {c_in} -> {c_out}")
    return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)


OPERATIONS: dict[str, Callable[[int, int, int, bool], nn.Module]] = {
    "none": none,
    "skip_connect": skip_connect,
    "nor_conv_1x1": nor_conv_1x1,
    "nor_conv_3x3": nor_conv_3x3,
    "avg_pool_3x3": avg_pool_3x3,
}
