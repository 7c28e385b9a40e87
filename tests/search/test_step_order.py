"""drnas_lib.search.bilevel, the orders of its halves: which variables move, in which order, on which batches."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.architecture.regulariser import REGULARISERS
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.darts import DARTS
from drnas_lib.methods.gumbel import GDAS
from drnas_lib.methods.pc_darts import PCDARTS
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.search.bilevel import STEPS
from drnas_lib.search.optimisers import Adam, Sgd
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]
SMALL = dict(channels=4, cells_per_stage=1, classes=4)


def made(order, method=DARTS, nesterov=False, second_order=False, smoothing=0.0):
    variables = ArchVariables(SPACE.shape, torch.Generator().manual_seed(0), torch.float64)
    method = method(variables)
    torch.manual_seed(0)
    net = method.network(SPACE, 1, **SMALL).double()
    adam, sgd = Adam(method.arch_parameters(), 1e-2), Sgd(net.parameters(), 0.9, 3e-4, 5.0, nesterov)
    parts = REGULARISERS["adam_decay"](0.0), adam, sgd, torch.Generator()
    step = STEPS[order](net, method, variables, *parts, second_order, label_smoothing=smoothing)
    step.weight_optimiser.set_lr(0.05)
    return step


def batches():
    generator = torch.Generator().manual_seed(5)
    draw = lambda: (torch.randn(8, 3, 8, 8, generator=generator, dtype=torch.float64), torch.randint(4, (8,), generator=generator))  # noqa: E731
    return draw(), draw()


def values(step):
    return step.variables.eta.detach().clone(), [p.detach().clone() for p in step.parameters]


@pytest.mark.parametrize(("order", "first"), [("arch_first", "arch"), ("weights_first", "weights")])
def test_the_second_of_two_steps_sees_what_the_first_has_moved(order, first):
    train, valid = batches()
    step, by_hand = made(order), made("arch_first")
    step.advance(train, valid, True)
    if first == "arch":
        by_hand.arch_step(train, valid)
    by_hand.weight_step(train)
    if first == "weights":
        by_hand.arch_step(train, valid)
    for a, b in zip((values(step)[0], *values(step)[1]), (values(by_hand)[0], *values(by_hand)[1])):
        assert torch.equal(a, b)


def test_the_orders_differ():
    train, valid = batches()
    etas = []
    for order in ("arch_first", "weights_first", "single_level"):
        step = made(order)
        for _ in range(2):
            step.advance(train, valid, True)
        etas.append(values(step)[0])
    assert not any(torch.equal(a, b) for a, b in [(etas[0], etas[1]), (etas[0], etas[2]), (etas[1], etas[2])])


def test_single_level_moves_both_by_one_loss_on_the_training_batch():
    (x, y), _ = batches()
    step, plain = made("single_level"), made("single_level")
    loss = F.cross_entropy(plain.net(x, plain.method.sample(None)), y)
    eta, *weights = torch.autograd.grad(loss, [plain.variables.eta, *plain.parameters])
    plain.variables.eta.grad = eta
    torch.optim.Adam([plain.variables.eta], 1e-2).step()
    plain.weight_optimiser.step(weights)
    step.advance((x, y), None, True)
    torch.testing.assert_close(step.variables.eta, plain.variables.eta)
    for ours, expected in zip(step.parameters, plain.parameters):
        torch.testing.assert_close(ours, expected)
    assert step.meter.read()[2] is None, "no validation batch was seen"


@pytest.mark.parametrize("order", STEPS)
def test_validation_batches_are_made_only_where_they_are_read(order):
    step, (train, valid) = made(order), batches()
    step.advance(train, valid if step.reads_valid else None, True)
    assert step.reads_valid == (order in ("arch_first", "weights_first"))


@pytest.mark.parametrize("order", STEPS)
def test_eta_rests_when_it_should(order):
    step, (train, valid) = made(order), batches()
    eta, weights = values(step)
    step.advance(train, valid if order != "weights_only" else None, order == "weights_only")
    assert torch.equal(step.variables.eta, eta)
    assert not any(torch.equal(a, b) for a, b in zip(values(step)[1], weights) if b.numel() > 8)


@pytest.mark.parametrize("order", ["arch_first", "weights_first", "single_level"])
def test_pc_darts_moves_both_sets_of_variables(order):
    step = made(order, PCDARTS)
    train, valid = batches()
    before = step.method.edge_eta.detach().clone()
    step.advance(train, valid, True)
    moved = step.method.edge_eta.detach() - before
    assert moved[0, 0] == 0, "the only edge into its node has the weight 1, whatever its variable"
    assert (moved[0, 1:].abs() > 1e-3).all()


@pytest.mark.parametrize(
    ("order", "second_order"),
    [("arch_first", False), ("arch_first", True), ("weights_first", False), ("single_level", False), ("weights_only", False)],
)
def test_every_loss_of_a_step_has_smoothed_labels(order, second_order, monkeypatch):
    asked, real = [], F.cross_entropy

    def cross_entropy(logits, y, label_smoothing=0.0):
        asked.append(label_smoothing)
        return real(logits, y, label_smoothing=label_smoothing)

    step = made(order, second_order=second_order, smoothing=0.1)
    train, valid = batches()
    monkeypatch.setattr(F, "cross_entropy", cross_entropy)
    step.advance(train, valid, order != "weights_only")
    assert set(asked) == {0.1}


def test_smoothing_spreads_a_tenth_of_each_label_over_all_classes():
    logits, y = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    labels = 0.9 * F.one_hot(y, 4) + 0.1 / 4
    expected = -(labels * logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(made("single_level", smoothing=0.1).loss(logits, y), expected)


def test_nesterov_is_that_of_pytorch():
    train, _ = batches()
    step, plain = made("weights_only", nesterov=True), made("weights_only")
    optimiser = torch.optim.SGD(plain.parameters, 0.05, 0.9, weight_decay=3e-4, nesterov=True)
    for _ in range(3):
        step.advance(train, None, True)
        optimiser.zero_grad()
        F.cross_entropy(plain.net(train[0], plain.method.sample(None).detach()), train[1]).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters, 5.0)
        optimiser.step()
    for ours, expected in zip(step.parameters, plain.parameters):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-9)


def test_weights_that_no_path_uses_still_decay():
    variables = ArchVariables(SPACE.shape, torch.Generator().manual_seed(0))
    with torch.no_grad():
        variables.eta[..., 1] = 50.0  # skip everywhere
    method = GDAS(variables, 1.0, 1.0)
    torch.manual_seed(0)
    net = method.network(SPACE, 1, **SMALL)
    assert isinstance(net, Nb201SuperNet)
    adam, sgd = Adam(method.arch_parameters(), 1e-2), Sgd(net.parameters(), 0.9, 0.1, 5.0)
    parts = REGULARISERS["adam_decay"](0.0), adam, sgd, torch.Generator().manual_seed(0)
    step = STEPS["weights_first"](net, method, variables, *parts)
    step.weight_optimiser.set_lr(0.1)
    unused = dict(net.named_parameters())["layers.0.sources.0.stacked.nor_conv_3x3.weight"]
    before = unused.detach().clone()
    (x, y), _ = batches()
    step.weight_step((x.float(), y))
    torch.testing.assert_close(unused.detach(), before * (1 - 0.1 * 0.1))
