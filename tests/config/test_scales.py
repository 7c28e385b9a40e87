"""drnas_lib.config.scales: what each scale is, and that every parameter file and every method fits it."""

import dataclasses

import pytest

from drnas_lib.config import scales
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.presets import FAMILIES, SETTINGS, STAGE_LISTS, searched
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT

LAPTOP = {"dataset": "cifar10", "scale": "laptop"}
SPACES = sorted({space for space, _ in SETTINGS})


def settings(**given):
    return SearchConfig.of(given).settings()


def distance(found, images):
    """Learning rate of eta times its number of steps."""
    steps = (found.subset or images) // 2 // found.batch_size
    return found.arch_lr * steps * sum(stage.epochs - stage.arch_warmup for stage in found.stages)


def test_the_laptop_scale_is_the_size_that_it_says():
    found = settings(**LAPTOP)
    assert (found.channels, found.cells, found.subset, found.batch_size, found.arch_lr) == (8, 1, 5000, 64, 6e-3)
    assert [dataclasses.astuple(stage) for stage in found.stages] == [(50, 1, 5, 0)]
    assert (found.stem, found.scale, found.changed) == ("nb201_cifar10_drnas_released_laptop", "laptop", ())
    assert len(found.reduced) == 4 and "50 instead of 100 epochs" in found.reduced


@pytest.mark.parametrize("protocol", ["paper", "released"])
@pytest.mark.parametrize("method", METHODS)
def test_all_methods_share_the_size_and_eta_moves_as_far_as_in_the_full_search(method, protocol):
    full, found = (settings(dataset="cifar10", method=method, protocol=protocol, scale=scale) for scale in ("full", "laptop"))
    assert sum(stage.epochs for stage in found.stages) == 50
    assert (found.channels, found.cells, found.subset, found.batch_size) == (8, 1, 5000, 64)
    assert distance(found, 50_000) == pytest.approx(distance(full, 50_000), rel=5e-3)
    assert (found.weight_lr, found.lam, found.step, found.regulariser) == (full.weight_lr, full.lam, full.step, full.regulariser)


def test_stages_and_warm_ups_keep_the_proportions_of_the_protocol():
    released = settings(**LAPTOP, progressive=True)
    assert [(s.epochs, s.k, s.keep, s.arch_warmup) for s in released.stages] == [(25, 4, 5, 5), (25, 2, 3, 5)]
    assert [(s.epochs, s.k, s.keep, s.arch_warmup) for s in settings(**LAPTOP, protocol="paper").stages] == [(25, 8, 5, 10), (25, 4, 3, 10)]
    assert (released.arch_lr, settings(**LAPTOP, protocol="paper").arch_lr) == (6e-3, 3e-3)
    assert scales.shared(3, [250, 5]) == [3, 1]  # no stage is left out


def test_the_controller_of_enas_moves_as_far_too():
    full, found = (settings(dataset="cifar10", method="enas", scale=scale).options for scale in ("full", "laptop"))
    assert found["controller_lr"] * 50 == pytest.approx(full["controller_lr"] * 250)
    assert {n: v for n, v in found.items() if n != "controller_lr"} == {n: v for n, v in full.items() if n != "controller_lr"}


def test_a_changed_value_is_named_and_changes_nothing_else():
    usual, found = settings(**LAPTOP), settings(**LAPTOP, lam=0.01, epochs=10)
    assert found.changed == ("epochs [10] instead of [50]", "lam 0.01 instead of 0.001")
    assert found.stem == "nb201_cifar10_drnas_released_laptop_epochs10_lam0.01"
    assert (found.arch_lr, found.channels) == (usual.arch_lr, usual.channels)


def test_a_scale_is_no_more_than_its_values():
    found = settings(**LAPTOP)
    by_hand = settings(dataset="cifar10", epochs=[50], channels=8, cells=1, subset=5000, arch_lr=6e-3)
    assert by_hand.fingerprint == found.fingerprint and by_hand.stem != found.stem
    assert settings(dataset="cifar10").fingerprint != found.fingerprint


@pytest.mark.parametrize("dataset", FAMILIES)
@pytest.mark.parametrize("space", SPACES)
def test_every_scale_that_a_space_has_is_sound(space, dataset, tmp_path):
    if not searched(space, dataset):
        return
    given = {"space": space, "dataset": dataset, "data_folder": str(tmp_path) if dataset == "folder" else None}
    for scale in scales.for_search(space, dataset):
        for protocol in ("paper", "released"):
            found = settings(**given, scale=scale, protocol=protocol)
            assert bool(found.reduced) == (scale != "full") and found.scale == scale and not found.changed
    for scale in set(scales.SCALES) - set(scales.for_search(space, dataset)):
        with pytest.raises(ParameterError, match=f"scale='{scale}' with space='{space}' and dataset='{dataset}': .* Allowed are full"):
            settings(**given, scale=scale)


def test_data_of_ones_own_have_no_laptop_scale_and_every_published_data_set_in_memory_has():
    assert scales.for_search("nb201", "digits") == scales.for_search("s1", "folder") == ("full", "smoke")
    assert scales.for_search("darts", "imagenet") == scales.for_training("imagenet", "imagenet") == ("full", "smoke")
    assert scales.for_search("darts", "cifar10") == scales.for_search("nb201", "imagenet16-120") == scales.SCALES


@pytest.mark.parametrize("genotype", ["DrNAS_cifar10", "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"])
@pytest.mark.parametrize("scale", ["laptop", "smoke"])
def test_a_training_at_a_scale(genotype, scale):
    full = RetrainConfig.of({"genotype": genotype}).settings()
    found = RetrainConfig.of({"genotype": genotype, "scale": scale}).settings()
    assert found.stem == f"{found.cell}_cifar10_released_{scale}" and found.reduced and not full.reduced
    assert (found.recipe.lr, found.recipe.drop_path, found.recipe.cutout) == (full.recipe.lr, full.recipe.drop_path, full.recipe.cutout)
    changed = RetrainConfig.of({"genotype": genotype, "scale": scale, "lr": 0.3}).settings()
    assert changed.stem == f"{found.stem}_lr0.3" and f"lr 0.3 instead of {full.recipe.lr}" in changed.changed
    by_hand = {"epochs": found.recipe.epochs, "channels": found.channels, "cells": found.cells, "subset": found.subset}
    again = RetrainConfig.of(by_hand | {"genotype": genotype, "batch_size": found.batch_size}).settings()
    assert again.fingerprint == found.fingerprint


def test_a_training_of_digits_has_no_laptop_scale():
    with pytest.raises(ParameterError, match="scale='laptop' with dataset='digits'.* Allowed are full, smoke"):
        RetrainConfig.of({"dataset": "digits", "scale": "laptop"})
    found = RetrainConfig.of({"dataset": "imagenet", "scale": "smoke"}).settings()
    assert (found.recipe.epochs, found.recipe.warmup_epochs, found.subset) == (6, 0, None)


def test_nothing_else_says_what_a_scale_is():
    """The files of parameters name a scale and change single values; the proportions of another size would be a second table."""
    size = {"epochs", "channels", "cells", "subset", "batch_size", "arch_lr", "train_epochs"}
    for path in (PROJECT / "params").glob("*/*.yaml"):
        text = path.read_text(encoding="utf-8")
        if "scale:" in text:
            assert not [name for name in size if f"\n{name}:" in text], path
        assert not path.stem.endswith("_cpu"), path


def test_one_stage_list_stays_one():
    of = lambda *lists: dict(zip(STAGE_LISTS, lists))
    stages, usual = of([40], [1], [5], [0]), {"lr_warmup": 0, "arch_lr": 1e-2, "batch_size": 64}
    values = scales.search("smoke", "nb201", "digits", stages | usual)
    assert values.items() >= of([2], [1], [5], [0]).items() and values["arch_lr"] == 1e-2 and values["subset"] == 128
