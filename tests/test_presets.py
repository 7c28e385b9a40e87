"""What the protocols set, spelled out against the published code and text."""

import dataclasses

import pytest

from drnas_lib.config import SearchConfig
from drnas_lib.presets import FAMILIES, preset


def settings(**values):
    return SearchConfig.of(values).settings()


def stages(**values):
    return [dataclasses.astuple(stage) for stage in settings(**values).stages]


# epochs, K, operations kept, epochs before eta moves
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
@pytest.mark.parametrize(
    ("protocol", "progressive", "expected"),
    [
        ("released", None, [(100, 1, 5, 0)]),
        ("released", True, [(50, 4, 5, 10), (50, 2, 3, 10)]),
        ("paper", None, [(25, 8, 5, 10), (25, 4, 3, 10)]),
        ("paper", False, [(50, 1, 5, 0)]),
    ],
)
def test_published_stages(dataset, protocol, progressive, expected):
    assert stages(dataset=dataset, protocol=protocol, progressive=progressive) == expected
    assert settings(dataset=dataset, protocol=protocol, progressive=progressive).reduced == ()


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_published_settings(protocol):
    s = settings(dataset="cifar10", protocol=protocol)
    assert (s.batch_size, s.channels, s.cells, s.subset) == (64, 16, 5, None)
    assert (s.weight_lr, s.weight_lr_min, s.momentum, s.weight_decay, s.grad_clip) == (0.025, 0.001, 0.9, 3e-4, 5)
    assert (s.arch_lr, s.arch_betas, s.lam, s.bilevel) == (3e-4, (0.5, 0.999), 1e-3, "first")
    assert (s.evaluate, s.train_epochs) == ("table", None)
    assert settings(dataset="cifar10", protocol=protocol, evaluate="train").train_epochs == 200


def test_what_text_and_code_disagree_on():
    released, paper = settings(dataset="cifar10", progressive=True), settings(dataset="cifar10", protocol="paper")
    assert (released.regulariser, released.lr_after_widening) == ("adam_decay", "restart_epoch")
    assert (paper.regulariser, paper.lr_after_widening) == ("penalty", "continued")
    same = {"stages", "regulariser", "lr_after_widening", "protocol", "stem", "folder", "fingerprint"}
    assert {n for n, v in released.as_dict().items() if v != paper.as_dict()[n]} == same


@pytest.mark.parametrize("own", [{"dataset": "digits"}, {"dataset": "folder", "data_folder": "pictures"}])
def test_own_data_search_shortly_and_train(own):
    s = settings(**own)
    assert (s.cells, s.channels, s.arch_lr, s.evaluate, s.train_epochs) == (1, 16, 1e-2, "train", 5)
    assert stages(**own) == [(40, 1, 5, 0)]
    assert stages(**own, protocol="paper") == [(20, 8, 5, 4), (20, 4, 3, 4)]


@pytest.mark.parametrize("dataset", FAMILIES)
@pytest.mark.parametrize("protocol", ["released", "paper"])
@pytest.mark.parametrize("progressive", [None, True, False])
def test_every_preset_satisfies_its_own_checks(dataset, protocol, progressive):
    folder = "pictures" if dataset == "folder" else None
    assert settings(dataset=dataset, protocol=protocol, progressive=progressive, data_folder=folder).reduced == ()


@pytest.mark.parametrize("dataset", FAMILIES)
@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_both_schedules_of_a_protocol_on_own_data_take_as_long(dataset, protocol):
    plain, progressive = (sum(preset("nb201", dataset, protocol, many)[0].epochs) for many in (False, True))
    assert plain == progressive
