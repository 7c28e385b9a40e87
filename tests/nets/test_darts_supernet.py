"""drnas_lib.nets.darts, supernet_operations, mixed and stacked against the plain oracle."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.mixed import MixedEdges
from drnas_lib.nets.supernet_operations import DARTS
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


def compare(space, mask, dtype, training, size=8, prepare=lambda fast, plain: None, **settings):
    """Outputs, gradients of eta and of every weight, running statistics."""
    fast, plain = (make(space, mask=mask, **settings).to(dtype) for make in (DartsSuperNet, PlainDartsSuperNet))
    prepare(fast, plain)
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


def test_an_operation_that_no_supernet_has_is_not_left_out_in_silence():
    with pytest.raises(ValueError, match="no supernet has sep_conv_7x7 yet"):
        MixedEdges(DARTS[1], 4, ("none", "skip_connect", "sep_conv_7x7"), [[True] * 3])


def test_equals_the_oracle_on_imagenet_with_an_odd_height():
    """7x7 features in the last cells, as at full size."""
    torch.manual_seed(0)
    mask = random_mask(SPACE, 5, seed=0)
    compare(SPACE, mask, torch.float64, True, size=96, k=3, channels=6, cells=3, classes=7, macro="imagenet")


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_equals_the_oracle_on_the_robust_spaces(name):
    torch.manual_seed(1)
    space = SPACES[name]
    mask = torch.tensor(space.initial_mask(3 if name == "s3" else 2))
    compare(space, mask, torch.float64, True, k=1, channels=4, cells=4, classes=7)


class Given(nn.Module):
    """Gives the noise that it was given."""

    def forward(self, x):
        return self.noise


def same_noise(fast, plain):
    """What the fast net draws for all edges that leave a node, the oracle is given edge by edge: drawn again from the same seed."""
    fast.generator, again, shapes = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7), []
    operations = [
        (source.stacked["noise"], [plain_cell.edges[edge].operations for edge in edges])
        for fast_cell, plain_cell in zip(fast.cells, plain.cells)
        for edges, source in zip(fast_cell.leaving, fast_cell.sources)
    ]
    for noise, of_edges in operations:
        noise.register_forward_hook(lambda module, inputs, out: shapes.append(out.shape) and None)
        for of_edge in of_edges:
            of_edge["noise"] = Given()

    def again_drawn(shape, edges):
        return torch.randn(shape, generator=again, dtype=torch.float64).unflatten(1, (edges, -1)).unbind(1)

    def hand_over(*_):
        for (_, of_edges), shape in zip(operations, shapes, strict=True):
            for of_edge, drawn in zip(of_edges, again_drawn(shape, len(of_edges)), strict=True):
                of_edge["noise"].noise = drawn

    plain.register_forward_pre_hook(hand_over)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("k", [1, 2])
def test_equals_the_oracle_where_operations_are_noise(k, training):
    torch.manual_seed(2)
    mask = torch.tensor(SPACES["s4"].initial_mask(2))
    compare(SPACES["s4"], mask, torch.float64, training, prepare=same_noise, k=k, channels=4, cells=4, classes=7)
