"""The operations of NAS-Bench-201 in the network of one cell: modules, `OPERATIONS[name](channels, affine)`; shapes stay.

The operations, and their order ReLU, convolution, batch normalisation, are those of Dong & Yang, *NAS-Bench-201*
(ICLR 2020), section 2.1. `affine` says whether the batch normalisations learn a scale and a shift: they do in a
network that is trained on its own, and do not in a supernet.
"""

from collections.abc import Callable

from torch import Tensor, nn


class Zero(nn.Module):
    """No connection: zeros, with height and width divided by `stride`."""

    def __init__(self, stride: int = 1):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x.new_zeros(batch, channels, -(-height // self.stride), -(-width // self.stride))  # B C H W


def relu_conv_bn(c_in: int, c_out: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU, convolution without bias padded to keep the size, batch normalisation."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=affine),
    )


def avg_pool_3x3(stride: int = 1) -> nn.Module:
    """3x3 average pooling that leaves the padding out of the mean."""
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


OPERATIONS: dict[str, Callable[[int, bool], nn.Module]] = {
    "none": lambda channels, affine: Zero(),
    "skip_connect": lambda channels, affine: nn.Identity(),
    "nor_conv_1x1": lambda channels, affine: relu_conv_bn(channels, channels, 1, 1, affine),
    "nor_conv_3x3": lambda channels, affine: relu_conv_bn(channels, channels, 3, 1, affine),
    "avg_pool_3x3": lambda channels, affine: avg_pool_3x3(),
}
