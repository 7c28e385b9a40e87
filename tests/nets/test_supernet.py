"""drnas_lib.nets.supernet, mixed, mixed_sum, pointwise, statistics, blocks and pool against the plain oracle."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets.blocks import Run, runs
from drnas_lib.nets.pointwise import Folded
from drnas_lib.nets.pool import avg_pool_3x3, avg_pool_3x3_adjoint_
from drnas_lib.nets.statistics import input_moments, pointwise_moments
from drnas_lib.nets.supernet import SuperNet
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
    fast, plain = SuperNet(SPACE, **settings).to(dtype), PlainSuperNet(SPACE, **settings).to(dtype)
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
    net = SuperNet(SPACE, mask=mask, cells_per_stage=1)
    assert not any(".sources." in name for name, _ in net.named_parameters())
    mask[0, 3, SPACE.operations.index("nor_conv_3x3")] = True
    (weight, *others) = {p.shape[0] for n, p in SuperNet(SPACE, mask=mask, cells_per_stage=1).named_parameters() if ".sources." in n}
    assert sorted([weight, *others]) == [16, 32, 64]


def test_only_none_gives_zero():
    mask = torch.zeros(SPACE.shape, dtype=torch.bool)
    mask[..., 0] = True
    cell = SuperNet(SPACE, mask=mask, cells_per_stage=1).layers[0]
    assert torch.equal(cell(torch.randn(2, 16, 4, 4), torch.ones(SPACE.shape)[0]), torch.zeros(2, 16, 4, 4))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (8, 8), (7, 3), (32, 33)])
def test_pool_is_the_built_in_pool(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    ours = avg_pool_3x3(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(ours, F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 5), (8, 8), (7, 3), (32, 33)])
def test_the_adjoint_of_the_pool(size):
    x, y = torch.randn(2, 2, 3, *size, dtype=torch.float64)
    x, y = x.permute(0, 2, 3, 1), y.permute(0, 2, 3, 1)  # B H W C
    there, back = avg_pool_3x3(x), avg_pool_3x3_adjoint_(y.clone())
    torch.testing.assert_close((there * y).sum(), (x * back).sum(), rtol=1e-12, atol=1e-12)


def test_a_folded_pointwise_convolution_is_the_normalised_one():
    generator = torch.Generator().manual_seed(0)
    x, weight = 3 + torch.randn(16, 4, 7, 5, generator=generator).double(), torch.randn(6, 4, generator=generator).double()
    theta = torch.rand(6, generator=generator).double()
    y = F.conv2d(x, weight[..., None, None])
    mean, variance = pointwise_moments(weight, *input_moments(x.permute(0, 2, 3, 1).reshape(-1, 4)))
    torch.testing.assert_close(mean, y.mean((0, 2, 3)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(variance, y.var((0, 2, 3), correction=0), rtol=1e-10, atol=0)
    folded = Folded.of(weight, theta, (mean, variance))
    ours = F.conv2d(x, folded.kernel[..., None, None], folded.bias)
    torch.testing.assert_close(ours, theta[:, None, None] * F.batch_norm(y, None, None, training=True), rtol=1e-10, atol=1e-10)


def test_runs_are_the_fewest_blocks():
    assert runs((0, 1, 2), 4) == (Run(0, 0, 12),)
    assert runs((0, 2), 4) == (Run(0, 0, 4), Run(8, 4, 4))
    assert runs((), 4) == ()


def test_k_must_divide_the_channels():
    with pytest.raises(ValueError, match="K=3 does not divide the 16 channels"):
        SuperNet(SPACE, k=3)
