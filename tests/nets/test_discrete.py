"""Tests of drnas_lib.nets.nb201_network and the macro skeleton beneath it."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drnas_lib.genotype import Nb201Genotype, all_nb201
from drnas_lib.nets.nb201_network import DiscreteCell, Nb201Network, ResidualBlock, Skeleton
from drnas_lib.spaces.nb201_operations import OPERATIONS

EVERY_OPERATION = Nb201Genotype(("nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "none", "nor_conv_3x3"))


def plain_cell(cell: DiscreteCell, genotype: Nb201Genotype, x: torch.Tensor) -> torch.Tensor:
    """Every node in turn, 'none' edges as explicit zeros: the definition, with the cell's own weights."""
    modules = iter(cell.operations)
    nodes = [x]
    for target in (1, 2, 3):
        total = torch.zeros_like(x)
        for source, edge_target, operation in genotype.edges():
            if edge_target == target and operation != "none":
                total = total + next(modules)(nodes[source])
        nodes.append(total)
    return nodes[3]


def test_cell_is_the_sum_over_edges_for_every_kind_of_cell():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    for genotype in list(all_nb201())[::211]:  # a stride that changes every edge
        cell = DiscreteCell(genotype, 3).double()
        torch.testing.assert_close(cell(x), plain_cell(cell, genotype, x), rtol=0, atol=1e-12)


def test_edges_without_connection_are_not_built():
    cell = DiscreteCell(Nb201Genotype(("none", "none", "nor_conv_1x1", "none", "none", "none")), 4)
    assert len(cell.operations) == 1


def test_node_that_nothing_reaches_is_zero():
    x = torch.randn(2, 4, 6, 6)
    nothing = DiscreteCell(Nb201Genotype(("none",) * 6), 4)(x)
    assert nothing.shape == x.shape and not nothing.any()
    beyond_a_gap = DiscreteCell(Nb201Genotype(("none", "none", "none", "none", "skip_connect", "none")), 4)(x)
    assert not beyond_a_gap.any()


def test_edge_out_of_an_empty_node_still_gives_its_normalisation_shift():
    """The benchmark trained such cells as they are: zeros go through the convolution, the shift comes out."""
    cell = DiscreteCell(Nb201Genotype(("none", "none", "none", "none", "nor_conv_1x1", "none")), 2)
    normalisation = cell.operations[0][2]
    nn.init.constant_(normalisation.bias, 3.0)
    torch.testing.assert_close(cell(torch.randn(2, 2, 4, 4)), torch.full((2, 2, 4, 4), 3.0))


def test_all_skip_cell_counts_paths():
    """Skips only: node 1 = x, node 2 = 2x, node 3 = x + x + 2x."""
    x = torch.randn(1, 2, 3, 3)
    torch.testing.assert_close(DiscreteCell(Nb201Genotype(("skip_connect",) * 6), 2)(x), 4 * x)


def test_normalisation_follows_the_benchmark():
    net = Nb201Network(EVERY_OPERATION, channels=4, cells_per_stage=1)
    found = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(found) == 1 + 3 * 3 + 2 * 2 + 1  # stem, three convolutions a cell, two a block, head
    assert all((m.affine, m.track_running_stats, m.eps, m.momentum) == (True, True, 1e-5, 0.1) for m in found)


def test_only_the_classifier_has_a_bias():
    net = Nb201Network(EVERY_OPERATION, channels=4, cells_per_stage=1)
    assert all(module.bias is None for module in net.modules() if isinstance(module, nn.Conv2d))
    assert net.head[-1].bias is not None


def test_layers_stand_in_the_order_of_the_benchmark():
    net = Nb201Network(EVERY_OPERATION)
    blocks = [isinstance(layer, ResidualBlock) for layer in net.layers]
    assert blocks == [False] * 5 + [True] + [False] * 5 + [True] + [False] * 5
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_residual_block_is_body_plus_shortcut_without_activation():
    torch.manual_seed(0)
    block = ResidualBlock(2, 4).eval()
    x = torch.randn(3, 2, 8, 8)
    (_, first, norm_1), (_, second, norm_2) = block.body
    body = norm_2(F.conv2d(F.relu(norm_1(F.conv2d(F.relu(x), first.weight, stride=2, padding=1))), second.weight, padding=1))
    pooled = x.reshape(3, 2, 4, 2, 4, 2).mean(dim=(3, 5))
    torch.testing.assert_close(block(x), body + F.conv2d(pooled, block.shortcut[1].weight))
    assert (block(x) < 0).any()


def test_cell_arguments_reach_every_cell_and_no_block():
    class Scale(nn.Module):
        def forward(self, x, factor, shift):
            return factor * x + shift

    skeleton = Skeleton(lambda width: Scale(), channels=2, cells_per_stage=2, classes=3).eval()
    x = torch.randn(2, 3, 8, 8)
    state = skeleton.stem(x)
    for layer in skeleton.layers:
        state = layer(state) if isinstance(layer, ResidualBlock) else 2 * state + 1
    torch.testing.assert_close(skeleton(x, 2, 1), skeleton.head(state))


def test_widths_double_at_each_block():
    widths = []

    def cell(width):
        widths.append(width)
        return nn.Identity()

    Skeleton(cell, channels=6, cells_per_stage=2)
    assert widths == [6, 6, 12, 12, 24, 24]


def test_gradients_reach_every_parameter():
    net = Nb201Network(Nb201Genotype(("nor_conv_3x3",) * 6), channels=2, cells_per_stage=1)
    net(torch.randn(4, 3, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


@pytest.mark.parametrize("name", ["nor_conv_1x1", "nor_conv_3x3"])
def test_supernet_convolutions_can_go_without_affine_parameters(name):
    assert [key for key, _ in OPERATIONS[name](2, False).named_parameters()] == ["1.weight"]
