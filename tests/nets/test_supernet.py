"""drnas_lib.nets.nb201, mixed, mixture, stacked, theta and pool against the plain oracle."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets.layers import avg_pool_3x3
from drnas_lib.nets.mixture import mixture
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.spaces import SPACES
from tests.nets.plain import PlainSuperNet, copy_weights, pairs

SPACE = SPACES["nb201"]


def random_mask(keep, seed):
    order = torch.rand(SPACE.shape, generator=torch.Generator().manual_seed(seed)).argsort(-1)
    return order < keep


def distance(ours, plain):
    """The largest difference, relative to the largest value or to 1."""
    assert torch.isfinite(ours).all()
    ours, plain = ours.detach(), plain.detach()
    return float((ours - plain).abs().max() / plain.abs().max().clamp_min(1.0))


def distance_to_the_oracle(k, keep, training, dtype, seed):
    """The largest over outputs, gradients of eta and of every weight, and running statistics."""
    torch.manual_seed(seed)
    mask = random_mask(keep, seed=k + keep)
    settings = dict(k=k, mask=mask, channels=16, cells_per_stage=1, classes=7)
    fast, plain = Nb201SuperNet(SPACE, **settings).to(dtype), PlainSuperNet(SPACE, **settings).to(dtype)
    for buffer in fast.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    copy_weights(fast, plain)
    fast.train(training), plain.train(training)
    eta = torch.randn(SPACE.shape, dtype=dtype)
    x, y = torch.randn(8, 3, 8, 8, dtype=dtype), torch.randint(7, (8,))
    results = []
    for net in (fast, plain):
        variable = eta.clone().requires_grad_()
        logits = net(x, variable.masked_fill(~mask, -torch.inf).softmax(-1))
        parameters = list(net.parameters())
        gradients = torch.autograd.grad(F.cross_entropy(logits, y), [variable, *parameters])
        results.append((logits, gradients[0], dict(zip((id(p) for p in parameters), gradients[1:]))))
    (logits, of_eta, of_weights), (plain_logits, plain_eta, plain_weights) = results
    found = [distance(logits, plain_logits), distance(of_eta, plain_eta)]
    for stacked, block, own in pairs(fast, plain):
        found.append(distance(stacked[block], own))
        if own.requires_grad:
            found.append(distance(of_weights[id(stacked)][block], plain_weights[id(own)]))
    own_names = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        if name in own_names:
            found.append(distance(of_weights[id(parameter)], plain_weights[id(own_names[name])]))
    return max(found)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("keep", [5, 3])
@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_equals_the_oracle(k, keep, training):
    assert distance_to_the_oracle(k, keep, training, torch.float64, seed=10 * k + keep) <= 1e-9


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("keep", [5, 3])
@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_equals_the_oracle_in_single_precision(k, keep, training):
    """The middle one of three draws: a ReLU input within rounding of zero makes the gradients of either implementation jump."""
    draws = [distance_to_the_oracle(k, keep, training, torch.float32, seed=100 * draw + 10 * k + keep) for draw in range(3)]
    assert sorted(draws)[1] <= 1e-4, draws


def test_dropped_operations_have_no_weights():
    mask = torch.zeros(SPACE.shape, dtype=torch.bool)
    mask[..., SPACE.operations.index("skip_connect")] = True
    net = Nb201SuperNet(SPACE, mask=mask, cells_per_stage=1)
    assert not any(".sources." in name for name, _ in net.named_parameters())
    mask[0, 3, SPACE.operations.index("nor_conv_3x3")] = True
    (weight, *others) = {p.shape[0] for n, p in Nb201SuperNet(SPACE, mask=mask, cells_per_stage=1).named_parameters() if ".sources." in n}
    assert sorted([weight, *others]) == [16, 32, 64]


def test_only_none_gives_zero():
    mask = torch.zeros(SPACE.shape, dtype=torch.bool)
    mask[..., 0] = True
    net = Nb201SuperNet(SPACE, mask=mask, cells_per_stage=1)
    cell = net.layers[0]
    assert torch.equal(cell(torch.randn(2, 16, 4, 4), net.layout(torch.ones(SPACE.shape)[0])), torch.zeros(2, 16, 4, 4))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (8, 8), (7, 3), (32, 33)])
def test_pool_is_the_built_in_pool(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(avg_pool_3x3(x), F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), rtol=1e-12, atol=1e-12)


def test_first_and_second_derivatives_of_the_pool():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(avg_pool_3x3, x) and torch.autograd.gradgradcheck(avg_pool_3x3, x)


EVERY, SOME = (0, 1, 2), (0, 2)


@pytest.mark.parametrize("received", [False, True])
@pytest.mark.parametrize(("of_stacked", "of_shared"), [([EVERY, SOME], [EVERY, SOME]), ([SOME], []), ([], [SOME]), ([EVERY], [EVERY])])
def test_a_mixture_is_the_sum_over_operations_edge_by_edge(received, of_stacked, of_shared):
    """Values, and first and second derivatives in all that goes in."""
    torch.manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64, requires_grad=True)  # noqa: E731
    before = [draw(2, 6, 2, 3)] if received else []
    values = [draw(2, 2 * len(edges), 2, 3) for edges in of_stacked]
    shared, theta = [draw(2, 2, 2, 3) for _ in of_shared], [draw(len(edges), 1, 1, 1) for edges in of_shared]

    def ours(*tensors):
        tensors = list(tensors)
        start = tensors.pop(0) if received else None
        stacked = [(tensors.pop(0), edges) for edges in of_stacked]
        inputs = [tensors.pop(0) for _ in of_shared]
        return mixture(3, start, stacked, list(zip(inputs, tensors, of_shared)))

    expected = list(before[0].split(2, 1)) if received else [torch.zeros(2, 2, 2, 3, dtype=torch.float64)] * 3
    for value, edges in zip(values, of_stacked):
        for part, e in zip(value.split(2, 1), edges):
            expected[e] = expected[e] + part
    for x, weight, edges in zip(shared, theta, of_shared):
        for own, e in zip(weight, edges):
            expected[e] = expected[e] + own * x
    inputs = [*before, *values, *shared, *theta]
    torch.testing.assert_close(ours(*inputs), torch.cat(expected, 1), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(ours, inputs) and torch.autograd.gradgradcheck(ours, inputs)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("k", [1, 4])
def test_gradients_lie_in_memory_as_their_weights_do(k, memory_format):
    """Otherwise an optimiser's fused update falls back to one kernel for each tensor."""
    net = Nb201SuperNet(SPACE, k, channels=16, cells_per_stage=1, memory_format=memory_format)
    loss = net(torch.randn(4, 3, 8, 8), torch.full(SPACE.shape, 0.2)).square().sum()
    for (name, parameter), gradient in zip(net.named_parameters(), torch.autograd.grad(loss, list(net.parameters()))):
        assert gradient.stride() == parameter.stride(), name


@pytest.mark.parametrize("keep", [5, 3])
@pytest.mark.parametrize("k", [1, 4])
def test_the_memory_format_changes_nothing(k, keep):
    torch.manual_seed(0)
    mask, x = random_mask(keep, 3), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    nets = [
        Nb201SuperNet(SPACE, k, mask, cells_per_stage=1, memory_format=f).double() for f in (torch.contiguous_format, torch.channels_last)
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    theta = torch.rand(SPACE.shape, dtype=torch.float64) * mask
    torch.testing.assert_close(nets[1](x, theta), nets[0](x, theta), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("keep", [5, 3])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("training", [False, True])
def test_second_derivatives_are_those_of_the_oracle(k, keep, training):
    torch.manual_seed(k)
    mask = random_mask(keep, seed=k)
    settings = dict(k=k, mask=mask, channels=8, cells_per_stage=1)
    fast, plain = Nb201SuperNet(SPACE, **settings).double(), PlainSuperNet(SPACE, **settings).double()
    copy_weights(fast, plain)
    fast.train(training), plain.train(training)
    x, theta = torch.randn(6, 3, 8, 8).double(), (torch.rand(SPACE.shape).double().softmax(-1) * mask).requires_grad_()
    vector, products = torch.randn_like(theta) * mask, []
    for net in (fast, plain):
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(x, theta), torch.arange(6)), theta, create_graph=True)
        products.append(mask * torch.autograd.grad(gradient, theta, vector)[0])
    torch.testing.assert_close(*products, rtol=1e-8, atol=1e-10)


def test_k_must_divide_the_channels():
    with pytest.raises(ValueError, match="K=3 does not divide the 16 channels"):
        Nb201SuperNet(SPACE, k=3)
