"""drnas_lib.collection.paper.estimates: the arithmetic, held against networks and a step that are counted."""

import pytest
import torch

from drnas_lib.collection.paper import commands, estimates
from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.roofline import share_of_peak
from drnas_lib.config.search import SearchConfig
from drnas_lib.genotype import NB201_EDGES, Nb201Genotype
from drnas_lib.nets.cost import nb201_cost
from drnas_lib.runs.files import PROJECT
from drnas_lib.runs.index import RunIndex
from tests import paper_runs

NOTHING = RunIndex.read("/nowhere")


def settings(**given):
    return SearchConfig.of({"dataset": "cifar10"} | given).settings()


def alike(operation):
    return Nb201Genotype((operation,) * len(NB201_EDGES))


@pytest.mark.parametrize(("dataset", "pixels"), [("cifar10", 32), ("imagenet16-120", 16)])
def test_the_supernet_counts_as_its_parts_do(dataset, pixels):
    """All 3x3 and all 1x1 convolutions, the skeleton once; but for the classifier."""
    parts = [nb201_cost(alike(name), resolution=pixels).macs for name in ("nor_conv_3x3", "nor_conv_1x1", "none")]
    classifier = (64 + 1) * 10
    assert estimates.supernet_macs(settings(dataset=dataset)) == parts[0] + parts[1] - parts[2] - classifier


def test_a_step_costs_about_what_is_counted():
    """A whole step of 4 images; its η step leaves out the gradient of the weights, two operations each."""
    config = SpeedConfig(ks=[1], batch_size=4, images=64, repeats=1, device="cpu")
    counted = share_of_peak(config, torch.device("cpu"), step_ms=1.0)["gflop"] * 1e9 / config.batch_size
    macs = estimates.supernet_macs(settings())
    assert macs * estimates.assumption("gradient") * 2 == pytest.approx(counted + 2 * macs, rel=0.1)


def test_what_makes_a_search_longer():
    searches = {
        "drnas": {},
        "k8": {"k": [8]},
        "short": {"epochs": [50]},
        "looks": {"snapshots": 10},
        "gdas": {"method": "gdas", "protocol": "released"},
        "first": {"method": "darts", "protocol": "paper"},
        "second": {"method": "darts_2nd", "protocol": "paper"},
    }
    minutes = {name: estimates.search_minutes(settings(**given)) for name, given in searches.items()}
    assert minutes["short"] == pytest.approx(minutes["drnas"] / 2) and minutes["looks"] == pytest.approx(minutes["drnas"] + 10)
    assert minutes["k8"] < minutes["drnas"] and minutes["gdas"] < minutes["drnas"]
    assert minutes["second"] / minutes["first"] == pytest.approx(5 / 2)


def test_searches_of_the_darts_space_cost_what_the_paper_says():
    assert estimates.search_minutes(settings(space="darts")) == pytest.approx(0.6 * 1440)
    assert estimates.search_minutes(settings(space="darts", dataset="imagenet")) == pytest.approx(4.6 * 1440)
    assert estimates.search_minutes(settings(space="darts", dataset="imagenet", progressive=False)) == pytest.approx(3.9 * 1440)
    assert estimates.search_minutes(settings(space="s1")) == pytest.approx(0.4 * 1440)
    assert estimates.search_minutes(settings(space="s1", method="darts", bilevel="second")) == pytest.approx(0.4 * 1440 * 2.5)


def test_a_training_costs_its_multiply_adds():
    small, large = (estimates.minutes(commands.training(cell, "cifar10"), NOTHING) for cell in ("snas_moderate", "drnas_cifar10"))
    imagenet = estimates.minutes(commands.training("drnas_imagenet", "imagenet"), NOTHING)
    assert 0 < small < large < imagenet
    assert estimates.minutes(commands.training_of_found(settings(space="darts")), NOTHING) == large  # taken to be as large


def test_what_is_there_costs_nothing(tmp_path):
    line = commands.search_commands()["nb201_cifar10_drnas_released"]
    before = estimates.minutes(line, NOTHING)
    paper_runs.search(tmp_path, dataset="cifar10", seed=2)
    assert estimates.minutes(line, RunIndex.read(tmp_path)) == pytest.approx(before * 3 / 4)


def test_every_assumption_is_used_and_has_a_reason():
    code = (PROJECT / "drnas_lib" / "collection" / "paper" / "estimates.py").read_text()
    assumed = estimates.GPU_ASSUMPTIONS | estimates.CORE_ASSUMPTIONS
    assert all(f'assumption("{name}")' in code and assumed[name].why for name in assumed)
