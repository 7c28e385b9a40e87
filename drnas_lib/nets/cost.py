"""Parameters and multiply-accumulates of a network, as NAS-Bench-201 counts them.

The benchmark publishes "FLOPs" that are multiply-accumulates of one image: convolutions and fully connected layers,
a bias as one more for each output; pooling, normalisation, activations and sums are free. Its parameters are all
that are learned, those of the batch normalisations included. The tests hold this against published values.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from drnas_lib.genotype import Nb201Genotype
from drnas_lib.nets.skeleton import STAGES

KERNEL = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}  # the operations of NAS-Bench-201 that cost anything


@dataclass(frozen=True)
class Cost:
    """Counts: learned parameters, and multiply-accumulates of one image. The benchmark prints both in millions."""

    parameters: int
    macs: int


def parameters(net: nn.Module) -> int:
    """The number of parameters of `net`."""
    return sum(parameter.numel() for parameter in net.parameters())


def without_auxiliary(net: nn.Module) -> nn.Module:
    """A copy of shapes alone, its auxiliary head left out: sizes are published without what only training uses."""
    shapes = copy.deepcopy(net).to("meta")
    shapes.auxiliary = None
    return shapes


def macs(net: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one forward pass for one image of `input_shape` = (C, H, W). `net` is left as it was."""
    counted: list[int] = []

    def count(module: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        per_output = module.weight[0].numel() + (module.bias is not None)
        counted.append(output.numel() * per_output)

    probe = copy.deepcopy(net).to("meta").eval()  # shapes only: nothing is computed, no statistics move
    for module in probe.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        probe(torch.empty(1, *input_shape, device="meta"))
    return sum(counted)


def nb201_cost(
    genotype: Nb201Genotype,
    channels: int = 16,
    cells_per_stage: int = 5,
    classes: int = 10,
    in_channels: int = 3,
    resolution: int = 32,
) -> Cost:
    """The cost of `DiscreteNetwork(genotype, channels, ...)` on images of `resolution` x `resolution`, not built.

    Raises ValueError where the resolution cannot be halved twice.
    """
    if resolution % 2 ** (STAGES - 1):
        raise ValueError(f"resolution {resolution} is not divisible by {2 ** (STAGES - 1)}")
    costs = [_conv_bn(in_channels, channels, 3, resolution)]  # stem
    for stage in range(STAGES):
        width, size = channels * 2**stage, resolution // 2**stage
        if stage > 0:
            costs += [_conv_bn(width // 2, width, 3, size), _conv_bn(width, width, 3, size)]
            costs += [_conv(width // 2, width, 1, size)]  # shortcut
        costs += cells_per_stage * [cell_cost(genotype, width, size)]
    width = channels * 2 ** (STAGES - 1)
    linear = (width + 1) * classes
    costs += [Cost(2 * width + linear, linear)]  # head
    return _sum(costs)


def cell_cost(genotype: Nb201Genotype, width: int, size: int) -> Cost:
    """The cost of one cell of `width` channels on feature maps of `size` x `size`."""
    kernels = [KERNEL[operation] for operation in genotype.operations if operation in KERNEL]
    return _sum([_conv_bn(width, width, kernel, size) for kernel in kernels])


def _sum(costs: list[Cost]) -> Cost:
    return Cost(sum(cost.parameters for cost in costs), sum(cost.macs for cost in costs))


def _conv(c_in: int, c_out: int, kernel: int, size: int) -> Cost:
    weights = c_in * c_out * kernel**2
    return Cost(weights, weights * size**2)


def _conv_bn(c_in: int, c_out: int, kernel: int, size: int) -> Cost:
    conv = _conv(c_in, c_out, kernel, size)
    return Cost(conv.parameters + 2 * c_out, conv.macs)
