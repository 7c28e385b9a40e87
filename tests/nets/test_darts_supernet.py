"""drnas_lib.nets.darts_supernet, darts_mixed, darts_operations, stacked and folded against the plain oracle."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.nets.darts_supernet import DartsSuperNet
from drnas_lib.spaces import SPACES
from tests.nets.plain_darts import PlainDartsSuperNet, copy_weights, pairs

SPACE = SPACES["darts"]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def random_mask(space, keep, seed):
    order = torch.rand(space.shape, generator=torch.Generator().manual_seed(seed)).argsort(-1)
    return order < keep


def close(ours, plain, tolerance):
    scale = plain.abs().max().clamp_min(1.0)
    assert torch.isfinite(ours).all()
    assert (ours - plain).abs().max() <= tolerance * scale, float((ours - plain).abs().max() / scale)


def compare(space, mask, dtype, training, size=8, **settings):
    """Outputs, gradients of eta and of every weight, running statistics."""
    fast, plain = (make(space, mask=mask, **settings).to(dtype) for make in (DartsSuperNet, PlainDartsSuperNet))
    for buffer in fast.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    copy_weights(fast, plain)
    fast.train(training), plain.train(training)
    eta = torch.randn(space.shape, dtype=dtype)
    x, y = torch.randn(4, 3, size, size, dtype=dtype), torch.randint(7, (4,))
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
    compared = set()
    for stacked, block, own, place in pairs(fast, plain):
        close(stacked[block], own[place], tolerance)
        if own.requires_grad:
            close(of_weights[id(stacked)][block], plain_weights[id(own)][place], tolerance)
            compared.add(id(own))
    own_names = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        if name in own_names:
            close(of_weights[id(parameter)], plain_weights[id(own_names[name])], tolerance)
            compared.add(id(own_names[name]))
    assert compared == set(map(id, plain.parameters())), "every weight of the oracle was compared"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("keep", [8, 4])
@pytest.mark.parametrize("k", [1, 3, 6])
def test_equals_the_oracle(k, keep, training, dtype):
    torch.manual_seed(k * 10 + keep)
    mask = random_mask(SPACE, keep, seed=k + keep)
    compare(SPACE, mask, dtype, training, k=k, channels=12, cells=3, classes=7)


def test_equals_the_oracle_on_imagenet_with_an_odd_height():
    """7x7 features in the last cells, as at full size."""
    torch.manual_seed(0)
    mask = random_mask(SPACE, 5, seed=0)
    compare(SPACE, mask, torch.float64, True, size=96, k=3, channels=6, cells=3, classes=7, macro="imagenet")


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_equals_the_oracle_on_the_robust_spaces(name):
    torch.manual_seed(1)
    space = SPACES[name]
    mask = torch.tensor(space.start(3 if name == "s3" else 2))
    compare(space, mask, torch.float64, True, k=1, channels=4, cells=4, classes=7)
