"""drnas_lib.schedule against PyTorch's own schedulers."""

import warnings

import pytest
import torch

from drnas_lib.schedule import LR_AFTER_WIDENING, Place, Stage, continued, places, restart_cosine, restart_epoch, rising, warmed

STAGES = (Stage(5, 8, 5), Stage(5, 4, 3))


def test_places_number_epochs_across_stages():
    found = places(STAGES)
    assert [(p.epoch, p.stage, p.epoch_in_stage) for p in found][4:7] == [(4, 0, 4), (5, 1, 0), (6, 1, 1)]


def test_continued_is_torchs_cosine():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.025)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
    for place in places(STAGES):
        assert continued(place, 10, 0.025, 0.001) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        scheduler.step()


def test_restart_cosine_is_what_torchs_recursion_makes_of_a_fresh_optimiser():
    """The released code loads the scheduler's state, not the optimiser's rate: the recursion goes on from the initial rate."""
    make = lambda: torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.025)
    optimiser = make()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
    for place in places(STAGES):
        if place.epoch == 5:
            state, optimiser = scheduler.state_dict(), make()
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
            scheduler.load_state_dict(state)
        assert restart_cosine(place, 10, 0.025, 0.001) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimiser.step()
            scheduler.step()


def test_restart_epoch_jumps_once():
    rates = [restart_epoch(place, 10, 0.025, 0.001) for place in places(STAGES)]
    smooth = [continued(place, 10, 0.025, 0.001) for place in places(STAGES)]
    assert rates[5] == 0.025 and rates[:5] + rates[6:] == smooth[:5] + smooth[6:]


def test_all_agree_in_a_single_stage():
    for place in places((Stage(4, 1, 5),)):
        assert len({round(rule(place, 4, 0.1, 0.0), 12) for rule in LR_AFTER_WIDENING.values()}) == 1


def test_a_half_period_shorter_than_the_search_makes_the_rate_swing():
    """ENAS' official schedule: from 0.05 down to 0.0005 in 10 epochs, up again in the next 10, and so on."""
    rates = [LR_AFTER_WIDENING["continued"](Place(epoch, 0, epoch), 10, 0.05, 0.0005) for epoch in range(41)]
    assert rates[0] == pytest.approx(0.05) and rates[10] == pytest.approx(0.0005) and rates[20] == pytest.approx(0.05)
    assert rates[:21] == pytest.approx(rates[20:]) and rates[3] == pytest.approx(rates[17])


def test_warm_up_and_rise():
    assert [warmed(epoch, 5, 0.5, 0.4) for epoch in (0, 4, 5)] == [0.1, 0.5, 0.4]
    assert warmed(0, 0, 0.5, 0.4) == 0.4
    assert [rising(epoch, 50, 0.6) for epoch in (0, 49)] == [0, 0.6] and rising(0, 1, 0.6) == 0
