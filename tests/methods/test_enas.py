"""ENAS: the controller learns, its gradient is REINFORCE's, and its state travels."""

from types import SimpleNamespace

import pytest
import torch

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.enas import ENAS, WIDTH, Controller, _on_cpu
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]


class Likes(torch.nn.Module):
    """Stands in for a supernet: the share of the edges with one operation is the share of its answers that are right."""

    def forward(self, x, theta):
        share = float(theta[0, :, 3].mean())
        right = torch.arange(len(x)) < round(share * len(x))
        return torch.stack([right.float(), 1 - right.float()], 1)  # the right class is 0


def made(updates=40, lr=0.02):
    variables = ArchVariables(SPACE.shape, torch.Generator().manual_seed(0))
    of_enas = dict(candidates=20, monitored=5, controller_lr=lr, controller_updates=updates, controller_samples=10)
    return build_seeded(0, lambda: ENAS(variables, **of_enas))


def context(seed=0):
    batch = torch.zeros(60, 1, 2, 2), torch.zeros(60, dtype=torch.long)
    return SimpleNamespace(net=Likes(), augmented=lambda count: [batch] * count, theta_generator=torch.Generator().manual_seed(seed))


def test_the_log_probability_is_that_of_the_choices():
    """Every cell of two edges with three operations: the probabilities that the controller gives sum to one, and match its frequencies."""
    torch.manual_seed(0)
    controller = Controller(2, 3)
    with torch.no_grad():
        for parameter in controller.parameters():
            parameter.mul_(20)
        chosen, log_p, entropy = controller(6000, torch.Generator().manual_seed(1))
    number = chosen[:, 0] * 3 + chosen[:, 1]
    p = {int(n): float(log_p[number == n][0].exp()) for n in number.unique()}
    assert len(p) == 9 and abs(sum(p.values()) - 1) < 1e-5
    for n, value in p.items():
        frequency = float((number == n).float().mean())
        assert abs(frequency - value) < 5 * (value / 6000) ** 0.5
    assert float((entropy - -log_p).mean()) < 0.05, "the mean of -log p is the entropy"


def test_the_expected_reward_improves():
    method, stage = made(), context()
    before = float(method.mean()[0, :, 3].mean())
    for epoch in range(4):
        method.after_epoch(stage, last=epoch == 3)
    after = float(method.mean()[0, :, 3].mean())
    assert before < 0.35 and after > before + 0.2
    assert float((method.best == 3).float().mean()) >= 0.5, "of 20 cells the best is kept"
    assert stage.net.training


def test_baseline_starts_from_the_samples_and_then_moves_one_percent():
    method, stage = made(updates=1), context()
    method.after_epoch(stage, last=False)
    first = method.baseline
    method.after_epoch(stage, last=False)
    assert abs(method.baseline - first) <= 0.01 * 1.01


@pytest.mark.parametrize("before", [None, 0.4])
def test_the_gradient_is_that_of_the_official_loop(before, monkeypatch):
    """Sample by sample, as the official code adds them up: the entropy in the reward, and in the baseline, is not detached."""
    method = made(updates=1)
    method.baseline = before
    gradients = []
    monkeypatch.setattr(method.optimiser, "step", lambda: gradients.extend(p.grad.clone() for p in method.controller.parameters()))
    method.after_epoch(context(), last=False)

    controller = made().controller
    chosen, log_p, entropy = controller(10, _on_cpu(torch.Generator().manual_seed(0)))
    for cell, own_log_p, own_entropy in zip(chosen, log_p, entropy):
        accuracy = round(60 * float((cell == 3).float().mean())) / 60
        reward = accuracy + 1e-4 * own_entropy
        baseline = accuracy if before is None else before - (1 - 0.99) * (before - reward)
        (-own_log_p * (reward - baseline) / 10).backward(retain_graph=True)
    expected = [parameter.grad for parameter in controller.parameters()]
    torch.nn.utils.clip_grad_norm_(controller.parameters(), 5.0)
    assert len(gradients) == len(expected) and max(float(g.abs().max()) for g in expected) > 1e-7
    for ours, theirs in zip(gradients, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-9)


def test_the_controller_starts_as_the_official_one():
    """U(-0.1, 0.1) for the input, the embedding, the output weight and the first layer's weights; PyTorch's start for the rest."""
    controller = made().controller
    drawn = {"first", "embedding.weight", "choice.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0"}
    for name, parameter in controller.named_parameters():
        bound = 0.1 if name in drawn else WIDTH**-0.5  # LSTM and Linear of 32 inputs: U(-1/sqrt(32), 1/sqrt(32))
        largest = float(parameter.detach().abs().max())
        assert largest <= bound, name
        if parameter.numel() >= 100:
            assert largest > 0.95 * bound and float(parameter.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.15), name


def test_state_continues_exactly():
    whole, parts = made(updates=3), made(updates=3)
    stage = context()
    for _ in range(2):
        whole.after_epoch(stage, last=False)
    first = context()
    parts.after_epoch(first, last=False)
    fresh = made(updates=3)
    fresh.load_state_dict(parts.state_dict())
    second = context()
    second.theta_generator.set_state(first.theta_generator.get_state())
    fresh.after_epoch(second, last=False)
    assert whole.baseline == fresh.baseline
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), fresh.parameters()))
    assert torch.equal(whole.best, fresh.best)
