"""drnas_lib.nets.supernet, mixed, mixed_sum, pointwise, statistics, blocks and pool against the plain oracle."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets.blocks import Run, runs
from drnas_lib.nets.pointwise import Folded
from drnas_lib.nets.pool import avg_pool_3x3
from drnas_lib.nets.statistics import input_covariance, input_means, pointwise_moments, wide_moments
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.spaces import SPACES
from tests.nets.plain import PlainSuperNet, copy_weights, pairs

SPACE = SPACES["nb201"]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def random_mask(keep, seed):
    order = torch.rand(SPACE.shape, generator=torch.Generator().manual_seed(seed)).argsort(-1)
    return order < keep


def close(ours, plain, tolerance):
    scale = plain.abs().max().clamp_min(1.0)
    assert torch.isfinite(ours).all()
    assert (ours - plain).abs().max() <= tolerance * scale, float((ours - plain).abs().max() / scale)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("keep", [5, 3])
@pytest.mark.parametrize("k", [1, 2, 4, 8])
def test_equals_the_oracle(k, keep, training, dtype):
    """Outputs, gradients of eta and of every weight, running statistics. In float32 a ReLU input within rounding of zero would make
    gradients jump in either implementation; these seeds have none."""
    torch.manual_seed(k * 10 + keep)
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
        theta = variable.masked_fill(~mask, -torch.inf).softmax(-1)
        logits = net(x, theta)
        parameters = list(net.parameters())
        gradients = torch.autograd.grad(F.cross_entropy(logits, y), [variable, *parameters])
        results.append((logits, gradients[0], dict(zip((id(p) for p in parameters), gradients[1:]))))
    (logits, of_eta, of_weights), (plain_logits, plain_eta, plain_weights) = results
    tolerance = TOLERANCE[dtype]
    close(logits, plain_logits, tolerance)
    close(of_eta, plain_eta, tolerance)
    for stacked, block, own in pairs(fast, plain):
        close(stacked[block], own, tolerance)
        if own.requires_grad:
            close(of_weights[id(stacked)][block], plain_weights[id(own)], tolerance)
    own_names = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        if name in own_names:
            close(of_weights[id(parameter)], plain_weights[id(own_names[name])], tolerance)


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


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 5), (8, 8), (7, 3)])
def test_pool_is_the_built_in_pool(size):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    ours = avg_pool_3x3(x)
    torch.testing.assert_close(ours, F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [(1, 5), (8, 8), (7, 3)])
def test_the_adjoint_of_the_pool(size):
    x, y = torch.randn(2, 2, 3, *size, dtype=torch.float64)
    there, back = avg_pool_3x3(x), avg_pool_3x3(y, adjoint=True)
    torch.testing.assert_close((there * y).sum(), (x * back).sum(), rtol=1e-12, atol=1e-12)


def test_moments_of_a_wide_convolution_follow_from_its_input():
    generator = torch.Generator().manual_seed(0)
    x = 3 + torch.randn(16, 4, 7, 5, generator=generator)
    weight = torch.randn(6, 4, 3, 3, generator=generator)
    mean, variance = wide_moments(F.conv2d(x, weight, padding=1), weight, input_means(x))
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    torch.testing.assert_close(mean.double(), exact.mean((0, 2, 3)), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(variance.double(), exact.var((0, 2, 3), correction=0), rtol=1e-4, atol=0)


def test_a_folded_pointwise_convolution_is_the_normalised_one():
    generator = torch.Generator().manual_seed(0)
    x, weight = 3 + torch.randn(16, 4, 7, 5, generator=generator).double(), torch.randn(6, 4, generator=generator).double()
    theta = torch.rand(6, generator=generator).double()
    y = F.conv2d(x, weight[..., None, None])
    center = input_means(x)[:, 1, 1]
    torch.testing.assert_close(center, x.mean((0, 2, 3)), rtol=1e-12, atol=1e-12)
    mean, variance = pointwise_moments(weight, center, input_covariance(x, center))
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
