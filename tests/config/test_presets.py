"""What the protocols set, spelled out against the published code and text."""

import dataclasses

import pytest

from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.presets import FAMILIES, SETTINGS, preset, searched
from drnas_lib.config.search import SearchConfig

NB201 = [name for name in FAMILIES if searched("nb201", name)]


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


@pytest.mark.parametrize("own", [{"dataset": "digits"}, {"dataset": "folder", "data_folder": "docs"}])
def test_own_data_search_shortly_and_train(own):
    s = settings(**own)
    assert (s.cells, s.channels, s.arch_lr, s.evaluate, s.train_epochs) == (1, 16, 1e-2, "train", 5)
    assert stages(**own) == [(40, 1, 5, 0)]
    assert stages(**own, protocol="paper") == [(20, 8, 5, 4), (20, 4, 3, 4)]


def test_the_main_job_is_half_as_long_and_half_as_wide():
    s = settings(dataset="cluttered_digits")
    assert (s.channels, s.evaluate, s.train_epochs, s.random_cells, s.train_seeds) == (8, "train", 3, 8, 3)
    assert stages(dataset="cluttered_digits") == [(20, 1, 5, 0)]
    assert stages(dataset="cluttered_digits", protocol="paper") == [(10, 8, 5, 2), (10, 4, 3, 2)]
    assert settings(dataset="cluttered_digits", space="darts").channels == settings(dataset="digits", space="darts").channels == 12


@pytest.mark.parametrize("dataset", NB201)
@pytest.mark.parametrize("protocol", ["released", "paper"])
@pytest.mark.parametrize("progressive", [None, True, False])
def test_every_preset_satisfies_its_own_checks(dataset, protocol, progressive):
    folder = "docs" if dataset == "folder" else None
    assert settings(dataset=dataset, protocol=protocol, progressive=progressive, data_folder=folder).reduced == ()


@pytest.mark.parametrize("dataset", NB201)
@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_both_schedules_of_a_protocol_on_own_data_take_as_long(dataset, protocol):
    plain, progressive = (sum(preset("nb201", dataset, protocol, many)["epochs"]) for many in (False, True))
    assert plain == progressive


# epochs, K, operations kept, epochs before eta moves; channels and cells in all
@pytest.mark.parametrize(
    ("values", "expected", "size"),
    [
        ({"protocol": "released"}, [(25, 6, 7, 10), (25, 4, 4, 10)], (36, 20)),
        ({"protocol": "paper"}, [(25, 6, 8, 10), (25, 3, 4, 10)], (36, 20)),
        ({"protocol": "released", "progressive": False}, [(50, 1, 7, 10)], (16, 8)),
        ({"protocol": "paper", "progressive": False}, [(50, 1, 8, 10)], (16, 8)),
        ({"space": "s1"}, [(50, 1, 2, 0)], (16, 8)),
        ({"space": "s3"}, [(50, 1, 3, 0)], (16, 8)),
    ],
)
def test_published_searches_of_the_darts_space(values, expected, size):
    values = {"space": "darts", "dataset": "cifar10"} | values
    s = settings(**values)
    assert stages(**values) == expected and (s.channels, s.cells) == size
    assert s.reduced == () and s.evaluate == "none" and s.batch_size == 64


def test_rates_of_the_darts_space():
    darts, robust = settings(space="darts", dataset="cifar10"), settings(space="s2", dataset="cifar10")
    assert (darts.weight_lr, darts.weight_lr_min, darts.arch_lr, darts.weight_decay) == (0.1, 0, 6e-4, 3e-4)
    assert (robust.weight_lr, robust.weight_lr_min, robust.arch_lr) == (0.025, 0.001, 3e-4)
    assert (darts.derive, settings(space="darts", protocol="paper").derive) == ("softmax", "mean")
    expected = {"batch_size": 512, "weight_lr": 0.5, "lr_warmup": 5, "arch_lr": 6e-3, "channels": 48, "cells": 14}
    assert SETTINGS["darts", "imagenet"].items() >= expected.items()
    assert preset("darts", "imagenet", "released", True)["k"] == [6, 3]


@pytest.mark.parametrize(("protocol", "operations"), [("released", 7), ("paper", 8)])
def test_the_published_search_on_imagenet(protocol, operations):
    values = {"space": "darts", "dataset": "imagenet", "protocol": protocol}
    s = settings(**values)
    assert stages(**values) == [(25, 6, operations, 10), (25, 3, 4, 10)]
    assert (s.macro, s.channels, s.cells, s.batch_size, s.image_size) == ("imagenet", 48, 14, 512, 224)
    assert (s.weight_lr, s.weight_lr_min, s.lr_warmup, s.weight_decay, s.momentum, s.arch_lr) == (0.5, 0, 5, 3e-4, 0.9, 6e-3)
    assert (s.grad_clip, s.arch_grad_clip, s.drop_path, s.cutout, s.evaluate, s.reduced) == (5, 5, 0, 0, "none", ())


def test_the_gradient_of_eta_is_clipped_on_imagenet_alone():
    assert {key for key, values in SETTINGS.items() if values["arch_grad_clip"] is not None} == {("darts", "imagenet")}


@pytest.mark.parametrize("space", ["darts", "s1", "s2", "s3", "s4"])
@pytest.mark.parametrize("dataset", ["digits", "cifar10", "cifar100"])
@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_every_preset_of_the_darts_spaces_satisfies_its_own_checks(space, dataset, protocol):
    assert settings(space=space, dataset=dataset, protocol=protocol).reduced == ()


@pytest.mark.parametrize("method", ["gdas", "pc_darts", "rsps"])
def test_methods_with_networks_of_their_own_stay_on_nb201(method):
    with pytest.raises(ParameterError, match=f"method='{method}' with space='s2': allowed are drnas, darts"):
        settings(space="s2", method=method)
