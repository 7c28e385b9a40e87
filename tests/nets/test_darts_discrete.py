"""Tests of drnas_lib.nets.darts_network and darts_skeleton: published sizes, and the network written out."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drnas_lib.config.presets import MACROS
from drnas_lib.genotype import DartsGenotype, genotype_from_json
from drnas_lib.nets.cost import macs, parameters, without_auxiliary
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.nets.darts_skeleton import STEMS, AuxiliaryHead, DartsSkeleton, cell_places, pool_to_2x2, reduction_positions
from drnas_lib.runs.files import PROJECT
from drnas_lib.spaces.darts_operations import PLAIN_POOLS, FactorizedReduce


def published(name):
    return genotype_from_json(json.loads((PROJECT / "params" / "genotypes" / f"{name}.json").read_text())["genotype"])


DRNAS = published("drnas_cifar10")
SKIPS = DartsGenotype((("skip_connect", 0), ("skip_connect", 1)), (2,), (("skip_connect", 0), ("skip_connect", 1)), (2,))


def small(genotype=DRNAS, macro="cifar", **changes):
    torch.manual_seed(0)
    return DartsNetwork(genotype, macro, **{"channels": 4, "cells": 4} | changes)


@pytest.mark.parametrize(
    ("name", "macro", "millions"),
    [  # as the authors print them
        ("drnas_cifar10", "cifar", 4.099),
        ("drnas_imagenet", "imagenet", 5.726),
        ("darts_v2", "cifar", 3.349),
        ("pc_darts_cifar", "cifar", 3.635),
        ("snas_mild", "imagenet", 3.939),
    ],
)
def test_published_parameters(name, macro, millions):
    with torch.device("meta"):
        net = DartsNetwork(published(name), macro, classes=10 if macro == "cifar" else 1000, auxiliary_size=MACROS[macro].image_size)
    assert round(parameters(without_auxiliary(net)) / 1e6, 3) == millions
    assert parameters(net) > parameters(without_auxiliary(net))


def test_auxiliary_heads_as_published():
    """CIFAR 36 channels: 576 features; 128 x 576 + 128 x 768 x 4 + the two normalisations + the classifier."""
    cifar, imagenet = AuxiliaryHead(576, 8, 10, last_norm=True), AuxiliaryHead(768, 7, 1000, last_norm=False)
    assert parameters(cifar) == 128 * 576 + 128 * 768 * 4 + 2 * (128 + 768) + 769 * 10
    assert parameters(imagenet) == 128 * 768 + 128 * 768 * 4 + 2 * 128 + 769 * 1000
    assert cifar(torch.zeros(2, 576, 8, 8)).shape == (2, 10) and imagenet(torch.zeros(2, 768, 7, 7)).shape == (2, 1000)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9])
def test_other_sizes_are_averaged_to_2x2(size):
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    torch.testing.assert_close(pool_to_2x2(size)(x), F.adaptive_avg_pool2d(x, 2))


def test_counting_does_not_depend_on_the_auxiliary_head():
    with torch.device("meta"):
        with_head, without = small(auxiliary_size=32), small()
    assert macs(with_head, (3, 32, 32)) == macs(without, (3, 32, 32))
    assert parameters(without_auxiliary(with_head)) == parameters(without)


def test_the_cells_that_reduce():
    assert [reduction_positions(cells) for cells in (20, 14, 8)] == [(6, 13), (4, 9), (2, 5)]
    places = list(cell_places(20, 36, 108, (4, 4), reduced_stem=False))
    assert [place.channels for place in places] == [36] * 6 + [72] * 7 + [144] * 7
    assert (places[0].c_before_last, places[0].c_last, places[1].c_before_last, places[1].c_last) == (108, 108, 108, 144)
    assert [i for i, place in enumerate(places) if place.reduction_before] == [7, 14]
    assert list(cell_places(14, 48, 48, (4, 4), reduced_stem=True))[0].reduction_before


def plain(net, x, operations_of=lambda cell: cell.operations):
    """The network written out, edge by edge, with its own modules."""
    before_last, last = net.stem(x)
    for cell, place in zip(net.cells, cell_places(len(net.cells), 4, net.stem_width, (4, 4), net.stem.reduces)):
        kind = "reduce" if place.reduction else "normal"
        nodes = {0: cell.inputs[0](before_last), 1: cell.inputs[1](last)}
        for (source, target, _), operation in zip(net.genotype.edges(kind), operations_of(cell)):
            nodes[target] = nodes.get(target, 0) + operation(nodes[source])
        before_last, last = last, torch.cat([nodes[node] for node in getattr(net.genotype, f"{kind}_concat")], 1)
    return F.linear(last.mean((2, 3)), net.classifier.weight, net.classifier.bias)


@pytest.mark.parametrize(("macro", "size"), [("cifar", 16), ("imagenet", 64)])
def test_forward_written_out(macro, size):
    net = small(macro=macro).double()
    x = torch.randn(3, 3, size, size, dtype=torch.float64)
    torch.testing.assert_close(net(x), plain(net, x))
    assert net(x).shape == (3, 10)


def test_the_stems():
    cifar, imagenet = STEMS["cifar"](3, 108), STEMS["imagenet"](3, 48)
    s0, s1 = cifar(torch.zeros(1, 3, 32, 32))
    assert s0 is s1 and s0.shape == (1, 108, 32, 32)
    assert [s.shape for s in imagenet(torch.zeros(1, 3, 224, 224))] == [(1, 48, 56, 56), (1, 48, 28, 28)]


@pytest.mark.parametrize("macro", ["cifar", "imagenet"])
@pytest.mark.parametrize("name", ["nasnet_a", "amoebanet_a", "enas_nsganet", "pnasnet", "snas_aggressive", "sdarts_c10_s4_pgd"])
def test_every_kind_of_published_cell_runs(name, macro):
    size = {"cifar": 32, "imagenet": 64}[macro]
    with torch.device("meta"):
        net = small(published(name), macro, auxiliary_size=size, drop_path=True)
        logits, auxiliary = net(torch.zeros(2, 3, size, size))
    assert logits.shape == auxiliary.shape == (2, 10)


def test_auxiliary_logits_come_from_the_second_reduction_and_only_in_training():
    net = small(auxiliary_size=32)
    x = torch.randn(2, 3, 32, 32)
    caught = []
    net.cells[reduction_positions(4)[1]].register_forward_hook(lambda module, inputs, output: caught.append(output))
    logits, auxiliary = net(x)
    assert caught[0].shape[-1] == 8
    torch.testing.assert_close(auxiliary, net.auxiliary(caught[0]))
    assert isinstance(net.eval()(x), torch.Tensor)


def test_drop_path_leaves_identities_alone():
    net = small(SKIPS, drop_path=True)
    normal, reduction = net.cells[0], net.cells[1]
    assert normal.dropped == [False, False] and reduction.dropped == [True, True]
    assert all(isinstance(operation, FactorizedReduce) for operation in reduction.operations)


def test_drop_path_at_its_limit_leaves_only_the_identities():
    """Probability near 1: every dropped branch is zero, so the cell is what its identities give."""
    net = small(drop_path=True).double()
    net.drop.set_probability(1 - 1e-12)
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)

    class Nothing(nn.Module):
        def __init__(self, operation):
            super().__init__()
            self.operation = operation

        def forward(self, x):
            return self.operation(x) * 0

    keep = lambda cell: [o if isinstance(o, nn.Identity) else Nothing(o) for o in cell.operations]
    torch.testing.assert_close(net(x), plain(net, x, keep))


def test_gradients_reach_every_parameter():
    net = small(auxiliary_size=32, drop_path=True)
    logits, auxiliary = net(torch.randn(4, 3, 32, 32))
    (logits.square().sum() + auxiliary.square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_pools_can_go_without_their_normalisation():
    norms = lambda net: sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    with_norm, plain_pools = small(), small(operations=PLAIN_POOLS)
    assert norms(with_norm) - norms(plain_pools) == 2  # one max pool in each of the two reduction cells
    assert parameters(with_norm) == parameters(plain_pools)


def test_cell_arguments_reach_every_cell():
    class Scale(nn.Module):
        def __init__(self, place):
            super().__init__()
            self.place = place

        def forward(self, before_last, last, factor):
            seen.append((self.place.reduction, factor))
            return last.repeat(1, 2, 1, 1)[:, : 4 * self.place.channels]

    seen = []
    skeleton = DartsSkeleton(Scale, "cifar", channels=2, cells=3, classes=3, stem_width=32, concatenated=(4, 4))
    skeleton(torch.zeros(1, 3, 8, 8), 5)
    assert seen == [(False, 5), (True, 5), (True, 5)]
