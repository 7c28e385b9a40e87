"""drnas_lib.nets.twice: the same function as the fast supernet, with second derivatives, and without a trace in it."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets.supernet import SuperNet
from drnas_lib.nets.twice import TwiceDifferentiable
from drnas_lib.spaces import SPACES
from tests.nets.plain import PlainSuperNet, copy_weights

SPACE = SPACES["nb201"]


def case(k=1, pruned=False, seed=0):
    torch.manual_seed(seed)
    mask = torch.ones(SPACE.shape, dtype=torch.bool)
    if pruned:
        mask = torch.zeros(SPACE.shape).scatter(-1, torch.rand(SPACE.shape).topk(3).indices, 1).bool()
    net = SuperNet(SPACE, k, mask, channels=8, cells_per_stage=1).double()
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.add_(torch.rand_like(buffer))
    return net, mask, torch.randn(6, 3, 8, 8).double(), torch.rand(SPACE.shape).double().softmax(-1) * mask


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_output_and_gradient_are_those_of_the_fast_supernet(k, pruned, training):
    net, mask, x, theta = case(k, pruned)
    theta.requires_grad_()
    twice = TwiceDifferentiable(net.train(training), SPACE).train(training)
    ours, fast = twice(x, theta), net(x, theta)
    torch.testing.assert_close(ours, fast, rtol=1e-9, atol=1e-10)
    grads = [mask * torch.autograd.grad(out.square().sum(), theta)[0] for out in (ours, fast)]
    torch.testing.assert_close(*grads, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("training", [False, True])
def test_looking_changes_nothing(training):
    net, _, x, theta = case()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    twice = TwiceDifferentiable(net, SPACE).train(training)
    twice(x, theta)
    for state in (net.state_dict(), twice.net.state_dict()):
        assert all(torch.equal(state[name], value) for name, value in before.items() if "num_batches" not in name)


def test_second_derivatives_are_those_of_the_plain_network():
    net, mask, x, theta = case()
    plain = PlainSuperNet(SPACE, 1, mask, channels=8, cells_per_stage=1).double()
    copy_weights(net, plain)
    theta.requires_grad_()
    vector = torch.randn_like(theta)
    products = []
    for network in (TwiceDifferentiable(net, SPACE), plain):
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(x, theta), torch.arange(6)), theta, create_graph=True)
        products.append(torch.autograd.grad(gradient, theta, vector)[0])
    torch.testing.assert_close(*products, rtol=1e-8, atol=1e-10)
