"""Tests of drnas_lib.nets.cost: published values of the benchmark, and the closed form summed over edges against counted networks."""

import random

import pytest
import torch
from torch import nn

from drnas_lib.genotype import Nb201Genotype, all_nb201
from drnas_lib.nets.cost import Cost, macs, nb201_cost, parameters
from drnas_lib.nets.nb201_network import Nb201Network

CIFAR10 = {"classes": 10, "resolution": 32}
CIFAR100 = {"classes": 100, "resolution": 32}
IMAGENET16 = {"classes": 120, "resolution": 16}
DRNAS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
INDEX_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


def everywhere(operation: str) -> Nb201Genotype:
    return Nb201Genotype((operation,) * 6)


def counted(genotype: Nb201Genotype, channels=16, cells_per_stage=5, classes=10, in_channels=3, resolution=32) -> Cost:
    with torch.device("meta"):
        net = Nb201Network(genotype, channels, cells_per_stage, classes, in_channels)
    return Cost(parameters(net), macs(net, (in_channels, resolution, resolution)))


@pytest.mark.parametrize("cost", [nb201_cost, counted])
@pytest.mark.parametrize(
    ("genotype", "dataset", "published_parameters", "published_macs"),
    [
        # the smallest and the largest of the 15,625 as the benchmark's files list them, in millions
        (everywhere("none"), CIFAR10, 0.073306, 7.78305),
        (everywhere("nor_conv_3x3"), CIFAR10, 1.531546, 220.11969),
        (everywhere("none"), CIFAR100, 0.079156, 7.7889),
        (everywhere("nor_conv_3x3"), CIFAR100, 1.537396, 220.12554),
        # the benchmark's cell number 0: an average pooling is free
        (Nb201Genotype.parse(INDEX_0), CIFAR10, 0.129306, 15.64737),
    ],
)
def test_published_values(cost, genotype, dataset, published_parameters, published_macs):
    found = cost(genotype, **dataset)
    assert found == Cost(round(published_parameters * 1e6), round(published_macs * 1e6))


@pytest.mark.parametrize(
    ("dataset", "printed_macs", "printed_parameters"),
    [(CIFAR10, "184.73", "1.289"), (CIFAR100, "184.74", "1.294"), (IMAGENET16, "46.19", "1.296")],
)
def test_published_printout_of_the_drnas_cell(dataset, printed_macs, printed_parameters):
    found = nb201_cost(Nb201Genotype.parse(DRNAS), **dataset)
    assert (f"{found.macs / 1e6:.2f}", f"{found.parameters / 1e6:.3f}") == (printed_macs, printed_parameters)


@pytest.mark.parametrize(("operation", "published"), [("none", 1.9534), ("nor_conv_3x3", 55.03756)])
def test_published_extremes_of_imagenet16(operation, published):
    assert nb201_cost(everywhere(operation), **IMAGENET16).macs == round(published * 1e6)


def test_networks_cost_what_their_modules_cost():
    for genotype in random.Random(0).sample(list(all_nb201()), 60):
        assert nb201_cost(genotype) == counted(genotype), str(genotype)


@pytest.mark.parametrize(
    "shape",
    [
        {"channels": 4, "cells_per_stage": 1, "classes": 10, "in_channels": 1, "resolution": 8},
        {"channels": 8, "cells_per_stage": 2, "classes": 120, "in_channels": 3, "resolution": 16},
        {"channels": 3, "cells_per_stage": 3, "classes": 2, "in_channels": 2, "resolution": 4},
    ],
)
def test_networks_of_other_shapes_cost_what_their_modules_cost(shape):
    for genotype in random.Random(1).sample(list(all_nb201()), 15):
        assert nb201_cost(genotype, **shape) == counted(genotype, **shape), str(genotype)


def test_macs_count_every_output_of_a_strided_grouped_convolution_with_bias():
    net = nn.Sequential(nn.Conv2d(4, 6, (3, 1), stride=2, groups=2, bias=True), nn.MaxPool2d(2), nn.ReLU())
    outputs = 6 * 4 * 5  # 9 x 9 images: (9 - 3) // 2 + 1 = 4 rows, (9 - 1) // 2 + 1 = 5 columns
    assert macs(net, (4, 9, 9)) == outputs * (2 * 3 * 1 + 1)


def test_counting_leaves_the_network_alone():
    net = Nb201Network(Nb201Genotype.parse(DRNAS), channels=2, cells_per_stage=1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    macs(net, (3, 8, 8))
    assert net.training
    assert all(not module._forward_hooks for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
