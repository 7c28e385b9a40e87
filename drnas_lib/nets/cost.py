"""Parameters and multiply-accumulates of a network, as NAS-Bench-201 counts them.

The benchmark publishes "FLOPs" that are multiply-accumulates of one image: convolutions and fully connected layers,
a bias as one more for each output; pooling, normalisation, activations and sums are free. Its parameters are all
that are learned, those of the batch normalisations included. The tests compare with published values.
"""

import copy
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from drnas_lib.genotype import Nb201Genotype
from drnas_lib.nets.darts_skeleton import DartsSkeleton
from drnas_lib.nets.nb201_network import Nb201Network


@dataclass(frozen=True)
class Cost:
    """Counts: learned parameters, and multiply-accumulates of one image. The benchmark prints both in millions."""

    parameters: int
    macs: int


def parameters(net: nn.Module) -> int:
    """The number of parameters of `net`."""
    return sum(parameter.numel() for parameter in net.parameters())


def without_auxiliary(net: nn.Module) -> nn.Module:
    """A copy on the meta device without the auxiliary head: published sizes leave it out, since only training uses it."""
    shapes = copy.deepcopy(net).to("meta")
    if isinstance(shapes, DartsSkeleton):
        shapes.auxiliary = None
    return shapes


def macs(net: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one forward pass for one image of `input_shape` = (C, H, W). `net` is left as it was."""
    counted: list[int] = []

    def count(module: nn.Conv2d | nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        per_output = module.weight[0].numel() + (module.bias is not None)
        counted.append(output.numel() * per_output)

    probe = copy.deepcopy(net).to("meta").eval()  # shapes only, nothing is computed
    for module in probe.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        probe(torch.empty(1, *input_shape, device="meta"))
    return sum(counted)


def nb201_cost(genotype: Nb201Genotype, resolution: int = 32, **sizes: int) -> Cost:
    """The cost of `Nb201Network(genotype, **sizes)` on images of `resolution` x `resolution`: each edge adds its operation's."""
    costs = [_with_one_edge(operation, resolution, **sizes) for operation in genotype.operations]
    empty, others = _with_one_edge("none", resolution, **sizes), len(costs) - 1
    return Cost(sum(c.parameters for c in costs) - others * empty.parameters, sum(c.macs for c in costs) - others * empty.macs)


@cache
def _with_one_edge(operation: str, resolution: int, **sizes: int) -> Cost:
    """Counted on the network whose cells have this operation on one edge and nothing on the others."""
    with torch.device("meta"):
        net = Nb201Network(Nb201Genotype((operation, *["none"] * 5)), **sizes)
    return Cost(parameters(net), macs(net, (sizes.get("in_channels", 3), resolution, resolution)))
