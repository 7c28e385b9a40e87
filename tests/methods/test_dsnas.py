"""DSNAS' early fixing: when an edge is fixed, what stays then, and that a graph could replay it and a checkpoint holds it."""

import pytest
import torch

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.dsnas import DSNAS
from drnas_lib.search.optimisers import Adam
from tests.fake_capture import problems, recorded

SURE, UNSURE = (0.551, 0.249, 0.1, 0.05, 0.05), (0.5, 0.202, 0.2, 0.05, 0.048)  # the two largest differ by 0.302 and by 0.298
EVEN = (0.2,) * 5


def made(*rows):
    """DSNAS on one group whose edges have these probabilities."""
    probabilities = torch.tensor([rows], dtype=torch.float64)
    variables = ArchVariables(tuple(probabilities.shape), torch.Generator().manual_seed(0), torch.float64)
    with torch.no_grad():
        variables.eta.copy_(probabilities.log())
    return DSNAS(variables)


def draws(method, count=200):
    stream = torch.Generator().manual_seed(0)
    return torch.stack([method.sample(stream).detach().argmax(-1)[0] for _ in range(count)])  # count E


def test_an_edge_is_fixed_once_its_two_largest_probabilities_differ_by_three_tenths():
    method = made(SURE, UNSURE)
    assert len(draws(method)[:, 0].unique()) > 1, "not before an epoch begins"
    method.begin_epoch(0, 10)
    drawn = draws(method)
    assert (drawn[:, 0] == 0).all() and len(drawn[:, 1].unique()) == 5
    assert method.mean()[0, 0].tolist() == [1, 0, 0, 0, 0] and method.mean()[0, 1].tolist() == pytest.approx(UNSURE)


def test_a_fixed_edge_stays_so_whatever_comes():
    method = made(SURE, UNSURE)
    method.begin_epoch(0, 10)
    with torch.no_grad():
        method.variables.eta[0, 0, 1] = 9.0
    method.begin_epoch(1, 10)
    assert (draws(method)[:, 0] == 0).all() and method.scores()[0, 0].argmax() == 0


def test_a_fixed_edge_has_no_gradient_and_keeps_its_eta():
    method, stream = made(SURE, EVEN), torch.Generator().manual_seed(0)
    eta, optimiser = method.variables.eta, Adam(method.arch_parameters(), 0.01, weight_decay=0.1)

    def step():
        gradient = torch.autograd.grad((method.sample(stream) * torch.arange(1.0, 11).view(1, 2, 5)).sum(), [eta])
        optimiser.step(gradient)
        return (gradient[0][0] != 0).any(-1).tolist()

    assert step() == [True, True]  # some momentum
    before = eta.detach().clone()
    for epoch in range(2):
        method.begin_epoch(epoch, 2)
        assert [step() for _ in range(3)] == [[False, True]] * 3
        assert not torch.equal(eta[0, 0], before[0, 0]), "momentum and decay move it"
        method.after_epoch(None, last=False)
        assert torch.equal(eta[0, 0], before[0, 0]) and not torch.equal(eta[0, 1], before[0, 1])


def test_what_is_fixed_travels_with_the_state():
    method, other = made(SURE, UNSURE), made(UNSURE, UNSURE)
    method.begin_epoch(0, 10)
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.open, method.open) and other.open.sum(-1).tolist() == [[1, 5]]
    assert torch.equal(draws(other), draws(method))


def test_only_kept_operations_are_left_on_a_fixed_edge():
    method = made(SURE, UNSURE)
    method.begin_epoch(0, 10)
    method.variables.prune_(2)
    assert method.mean()[0, 0].tolist() == [1, 0, 0, 0, 0]
    assert method.mean()[0, 1].tolist() == pytest.approx([0.5 / 0.702, 0.202 / 0.702, 0, 0, 0])


def test_a_graph_could_replay_the_draw_while_edges_become_fixed():
    """The same launches on the same addresses before and after, and nothing is read back, between epochs either."""
    method, stream = made(SURE, UNSURE), torch.Generator().manual_seed(0)
    direction = torch.ones(1, 2, 5, dtype=torch.float64)

    def step():
        torch.autograd.grad((method.sample(stream) * direction).sum(), method.variables.eta)

    before = recorded(step)
    began = recorded(lambda: method.begin_epoch(0, 3))
    after = recorded(step)
    ended = recorded(lambda: method.after_epoch(None, last=False))
    assert method.open.sum(-1).tolist() == [[1, 5]]
    assert problems(before, after) == [] and began.broken == ended.broken == []
