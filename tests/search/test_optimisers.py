"""drnas_lib.search.optimisers: PyTorch's own optimisers are the oracle; nothing moves house, and a state comes back whole."""

import copy

import pytest
import torch

from drnas_lib.search.optimisers import Adam, Sgd

SHAPES = ((7, 3), (5,), (2, 3, 3, 3))


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def gradients(step):
    generator = torch.Generator().manual_seed(100 + step)
    return [(0.1 + step) * torch.randn(shape, generator=generator) for shape in SHAPES]


def test_sgd_is_pytorchs_with_its_clip_and_a_changing_rate():
    ours, theirs = parameters(), parameters()
    sgd = Sgd(ours, 0.9, 3e-3, 5.0)
    reference = torch.optim.SGD(theirs, lr=0.0, momentum=0.9, weight_decay=3e-3)
    for step in range(6):
        sgd.set_lr(0.1 / (1 + step))
        reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        for parameter, gradient in zip(theirs, gradients(step)):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(theirs, 5.0)
        reference.step()
        sgd.step(gradients(step))
        for a, b, velocity in zip(ours, theirs, sgd.velocity):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
            torch.testing.assert_close(velocity, reference.state[b]["momentum_buffer"], rtol=1e-6, atol=1e-7)


def test_sgd_leaves_the_gradient_as_it_was():
    sgd = Sgd(parameters(), 0.9, 3e-3, 0.1)
    given = gradients(3)
    sgd.set_lr(1.0)
    sgd.step(given)
    assert all(torch.equal(a, b) for a, b in zip(given, gradients(3)))


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_adam_is_pytorchs(decay):
    ours, theirs = parameters(), parameters()
    settings = dict(lr=3e-2, betas=(0.5, 0.999), weight_decay=decay)
    adam, reference = Adam(ours, **settings), torch.optim.Adam(theirs, **settings)
    for step in range(20):
        for other, gradient in zip(theirs, gradients(step % 3)):
            other.grad = gradient
        adam.step(gradients(step % 3)), reference.step()
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("largest", [0.5, 1e9])
def test_adam_clips_the_gradient_of_all_parameters_together(largest):
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, 3e-2, (0.5, 0.999), 1e-2, grad_clip=largest)
    reference = torch.optim.Adam(theirs, 3e-2, (0.5, 0.999), weight_decay=1e-2)
    for step in range(5):
        for other, gradient in zip(theirs, gradients(step)):
            other.grad = gradient
        torch.nn.utils.clip_grad_norm_(theirs, largest)
        given = gradients(step)
        adam.step(given), reference.step()
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert all(torch.equal(now, before) for now, before in zip(given, gradients(4))), "what was given stays as it was"


def test_state_stays_where_it_is():
    ours = parameters()
    adam, sgd = Adam(ours, 0.1), Sgd(ours, 0.9, 0.0, 5.0)
    held = [*ours, *sgd.velocity, sgd.lr, *(t for p in ours for t in adam.state[p].values())]
    places = [tensor.data_ptr() for tensor in held]
    sgd.set_lr(0.5)
    sgd.step(gradients(0))
    adam.step(gradients(1))
    assert places == [tensor.data_ptr() for tensor in held]


def test_adam_continues_from_a_saved_state_bit_for_bit(tmp_path):
    def steps(adam, which):
        for step in which:
            adam.step(gradients(step))

    whole, begun, continued = parameters(), parameters(), parameters()
    steps(Adam(whole, 0.1), range(6))
    adam = Adam(begun, 0.1)
    steps(adam, range(3))
    torch.save(copy.deepcopy(adam.state_dict()), tmp_path / "adam")
    other = Adam(continued, 0.1)
    other.load_state_dict(torch.load(tmp_path / "adam", weights_only=True))
    with torch.no_grad():
        for now, before in zip(continued, begun):
            now.copy_(before)
    steps(other, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(whole, continued))
