"""drnas_lib.search.schedule against PyTorch's own schedulers."""

import warnings
from functools import partial

import pytest
import torch

from drnas_lib.config.search_settings import StageSettings
from drnas_lib.search.schedule import EpochPosition, epoch_positions, learning_rate, linear

Stage = partial(StageSettings, arch_warmup=0)
STAGES = (Stage(5, 8, 5), Stage(5, 4, 3))
RULES = continued, restart_epoch, restart_cosine = [
    partial(learning_rate, rule) for rule in ("continued", "restart_epoch", "restart_cosine")
]


def test_positions_number_epochs_across_stages():
    found = epoch_positions(STAGES)
    assert [(p.epoch, p.stage, p.epoch_in_stage) for p in found][4:7] == [(4, 0, 4), (5, 1, 0), (6, 1, 1)]


def test_continued_is_torchs_cosine():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.025)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
    for place in epoch_positions(STAGES):
        assert continued(place, 10, 0.025, 0.001) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        scheduler.step()


def test_restart_cosine_is_what_torchs_recursion_makes_of_a_fresh_optimiser():
    """The released code loads the scheduler's state, not the optimiser's rate: the recursion goes on from the initial rate."""
    make = lambda: torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.025)
    optimiser = make()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
    for place in epoch_positions(STAGES):
        if place.epoch == 5:
            state, optimiser = scheduler.state_dict(), make()
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10, eta_min=0.001)
            scheduler.load_state_dict(state)
        assert restart_cosine(place, 10, 0.025, 0.001) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimiser.step()
            scheduler.step()


@pytest.mark.parametrize("stages", [(Stage(50, 6, 7),), (Stage(25, 6, 7), Stage(25, 3, 4)), (Stage(3, 6, 7), Stage(47, 3, 4))])
def test_restart_cosine_goes_on_from_the_rate_that_a_warm_up_leaves(stages):
    """ImageNet: the script sets 0.5 (e + 1) / 5 in epochs 0 to 4, and PyTorch's recursion multiplies whatever rate it finds."""
    found = {}
    make = lambda: torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimiser = make()
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50)
        for place in epoch_positions(stages):
            if place.stage and not place.epoch_in_stage:
                state, optimiser = scheduler.state_dict(), make()
                scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50)
                scheduler.load_state_dict(state)
            group = optimiser.param_groups[0]
            if place.epoch < 5:
                group["lr"] = 0.5 * (place.epoch + 1) / 5
            found[place.epoch] = group["lr"]
            optimiser.step()
            scheduler.step()
    for place in epoch_positions(stages):
        ours = restart_cosine(place, 50, 0.5, 0.0, 5)
        assert ours == pytest.approx(found[place.epoch], rel=1e-6, abs=1e-12)
    if stages[0].epochs > 5:
        assert found[5] == pytest.approx(0.495548, abs=5e-7)


def test_restart_cosine_of_a_rate_that_does_not_fall():
    assert restart_cosine(EpochPosition(7, 1, 2), 10, 0.025, 0.025) == 0.025


def test_restart_epoch_jumps_once():
    rates = [restart_epoch(place, 10, 0.025, 0.001) for place in epoch_positions(STAGES)]
    smooth = [continued(place, 10, 0.025, 0.001) for place in epoch_positions(STAGES)]
    assert rates[5] == 0.025 and rates[:5] + rates[6:] == smooth[:5] + smooth[6:]


def test_all_agree_in_a_single_stage():
    for place in epoch_positions((Stage(4, 1, 5),)):
        assert len({round(rule(place, 4, 0.1, 0.0), 12) for rule in RULES}) == 1


def test_a_half_period_shorter_than_the_search_makes_the_rate_swing():
    """ENAS' official schedule: from 0.05 down to 0.0005 in 10 epochs, up again in the next 10, and so on."""
    rates = [continued(EpochPosition(epoch, 0, epoch), 10, 0.05, 0.0005) for epoch in range(41)]
    assert rates[0] == pytest.approx(0.05) and rates[10] == pytest.approx(0.0005) and rates[20] == pytest.approx(0.05)
    assert rates[:21] == pytest.approx(rates[20:]) and rates[3] == pytest.approx(rates[17])


def test_warm_up_and_rise():
    assert [continued(EpochPosition(epoch, 0, epoch), 10, 0.5, 0.5, 5) for epoch in (0, 3, 4, 5)] == [0.1, 0.4, 0.5, 0.5]
    assert [linear(epoch, 50, 0.6) for epoch in (0, 49)] == [0, 0.6] and linear(0, 1, 0.6) == 0
