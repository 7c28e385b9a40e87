"""Weights of whole edges: in the output, the channels that pass by included."""

import pytest
import torch

from drnas_lib.nets.nb201 import EdgeWeightedNet
from drnas_lib.spaces import SPACES
from tests.nets.plain import PlainSuperNet, copy_weights

SPACE = SPACES["nb201"]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_cell_is_the_sum_of_weighted_edges(k):
    """Against a loop over the plain edges, each output multiplied by its weight."""
    torch.manual_seed(0)
    fast = EdgeWeightedNet(SPACE, k, channels=8, cells_per_stage=1, classes=4).double()
    plain = PlainSuperNet(SPACE, k, channels=8, cells_per_stage=1, classes=4).double()
    copy_weights(fast, plain)
    generator = torch.Generator().manual_seed(1)
    theta = torch.rand(6, 5, dtype=torch.float64, generator=generator).softmax(-1)
    weights = torch.rand(6, dtype=torch.float64, generator=generator).requires_grad_()
    x = torch.randn(4, 8, 8, 8, dtype=torch.float64, generator=generator)
    cell, edges = fast.layers[0], plain.layers[0].edges
    nodes = [x]
    for node in (1, 2, 3):
        into = [(e, source) for e, (source, target) in enumerate(SPACE.edges) if target == node]
        nodes.append(sum(weights[e] * edges[e](nodes[source], theta[e]) for e, source in into))
    of_edges = weights[fast.order].view(-1, 1, 1, 1).split(fast.sizes)
    ours = cell(x, fast.layout(theta * weights[:, None]), of_edges)
    torch.testing.assert_close(ours, nodes[-1])
    gradients = [torch.autograd.grad(out.square().sum(), weights)[0] for out in (ours, nodes[-1])]
    torch.testing.assert_close(*gradients)
    assert (gradients[0] != 0).all()
