"""drnas_lib.collection.paper.answers and measured: which finished runs make which number, at full length or reduced."""

import pytest

from drnas_lib.collection.paper import numbers as paper
from drnas_lib.collection.paper.answers import sources
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.collection.paper.verdicts import Verdict, find
from drnas_lib.config import cells
from drnas_lib.runs.files import read_json, write_json
from drnas_lib.runs.index import RunIndex
from tests import paper_runs

NUMBERS = {(number.place, number.row, number.column): number for number in paper.numbers()}
DRNAS = ("Table 4", "DrNAS", "cifar10_test")
S2 = ("Table 6", "DrNAS", "S2")


@pytest.fixture
def found(tmp_path):
    return lambda *key: find(NUMBERS[key], RunIndex.read(tmp_path))


def values(measured):
    return [m.value for m in measured]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: " ".join(key))
def test_every_number_has_a_source_or_a_reason(key):
    first, nothing = sources(NUMBERS[key])[0], RunIndex.read("/nowhere")
    assert first.commands(nothing) or first.values(nothing) or first.note


def test_a_full_search_stands_beside_the_paper_and_serves_every_number_it_makes(tmp_path, found):
    for seed, accuracy in enumerate((94.36, 94.0)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", seed=seed, gpu_mb=2000.0)
    assert values(found(*DRNAS).full) == [94.36, 94.0] and not found(*DRNAS).reduced
    assert values(found("Table 4", "DrNAS", "cifar10_valid").full) == [93.36, 93.0]
    assert values(found("Table 1", "cifar10, K = 1", "test_accuracy_pct").full) == [94.36, 94.0]
    assert values(found("Table 5", "λ = 0.001", "test_accuracy_pct").full) == [94.36, 94.0]
    assert found("Table 1", "cifar10, K = 1", "gpu_memory_mb").verdict is Verdict.REPRODUCED
    for other in (("Table 1", "cifar10, K = 2", "test_accuracy_pct"), ("Table 5", "λ = 0.1", "test_accuracy_pct"),
                  ("Table 4", "DARTS (1st) (Liu et al., 2019)", "cifar10_test"), ("Table 4", "DrNAS", "cifar100_test")):  # fmt: skip
        assert found(*other).verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": [20]}, "20 instead of 100 epochs"),
        ({"subset": 5000}, "5000 training images instead of all"),
        ({"arch_lr": 0.01}, "arch_lr 0.01 instead of 0.0003"),
        ({"precision": "bf16"}, "precision bf16 instead of float32"),
        ({"epochs": [200]}, "settings that are not the protocol's"),
        ({"dataset": "digits"}, "digits instead of cifar10"),
    ],
)
def test_a_run_that_is_less_or_other_never_stands_beside_the_paper(tmp_path, found, given, said):
    paper_runs.search(tmp_path, 94.36, **{"dataset": "cifar10", "evaluate": "none"} | given)
    finding = found(*DRNAS)
    assert not finding.full and finding.verdict is Verdict.REDUCED_ONLY and said in finding.reduced[0].reason


def test_a_name_of_its_own_hides_no_full_run_and_a_false_name_makes_none(tmp_path, found):
    paper_runs.search(tmp_path, 94.36, dataset="cifar10", name="mine")
    paper_runs.search(tmp_path, 90.0, dataset="cifar10", seed=1, epochs=[5], name="nb201_cifar10_drnas_released")
    assert values(found(*DRNAS).full) == [94.36] and values(found(*DRNAS).reduced) == [90.0]


def test_a_repeated_seed_counts_once(tmp_path, found):
    for name in ("a", "b"):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", name=name)
    assert len(found(*DRNAS).full) == 1


def test_of_two_protocols_the_preferred_counts(tmp_path, found):
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", protocol="paper", progressive=False)
    assert found(*DRNAS).verdict is Verdict.REDUCED_ONLY and "protocol paper instead of released" in found(*DRNAS).reduced[0].reason
    paper_runs.search(tmp_path, 93.0, dataset="cifar10", protocol="paper")
    assert not found(*DRNAS).full, "the progressive search is the one of Table 1"
    assert values(found("Table 1", "cifar10, progressive", "test_accuracy_pct").full) == [93.0]
    paper_runs.search(tmp_path, 94.0, dataset="cifar10")
    assert values(found(*DRNAS).full) == [94.0]
    gdas = ("Table 4", "GDAS (Dong & Yang, 2019)", "cifar10_test")
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", method="gdas", scale="laptop", protocol="paper")
    assert values(found(*gdas).laptop) == [91.0] and not found(*gdas).reduced, "a laptop run is not of another size as well"


def test_a_cell_that_was_trained_here_is_not_one_of_the_benchmark(tmp_path, found):
    folder = paper_runs.search(tmp_path, dataset="cifar10")
    record = read_json(folder.file("record.json"))
    cells = [{"cell": "derived", "cifar10_test_acc_pct": 60.0}]
    write_json(folder.file("record.json"), record | {"evaluation": {"kind": "train", "epochs": 1, "cells": cells}})
    assert not found(*DRNAS).full


def test_several_gpus_count_as_so_many_gpu_days_and_give_no_peak(tmp_path, found):
    folder = paper_runs.search(tmp_path, space="darts", dataset="cifar10", gpu_mb=5.0)
    record = read_json(folder.file("record.json"))
    write_json(folder.file("record.json"), record | {"processes": 4, "device": "H200"})
    assert values(found("Table 2", "DrNAS", "search_cost_gpu_days").full) == [pytest.approx(4 / 24)]
    folder = paper_runs.search(tmp_path, dataset="cifar10", gpu_mb=5.0)
    write_json(folder.file("record.json"), read_json(folder.file("record.json")) | {"processes": 4})
    assert not found("Table 1", "cifar10, K = 1", "gpu_memory_mb").full


def test_of_reduced_runs_the_least_reduced_is_shown_and_the_papers_data_before_others(tmp_path, found):
    for given in ({"epochs": [2], "subset": 256}, {"epochs": [20], "subset": 5000}, {"epochs": [20], "subset": 2560}):
        paper_runs.search(tmp_path, 90.0 + given["epochs"][0] / 10, dataset="cifar10", **given)
    paper_runs.search(tmp_path, 99.0, dataset="digits", evaluate="none")
    finding = found(*DRNAS)
    assert values(finding.reduced) == [92.0] and finding.others == 3 and "5000" in finding.reduced[0].reason


def test_a_gpus_peak_is_compared_and_nothing_else(tmp_path, found):
    paper_runs.search(tmp_path, dataset="cifar10")
    assert found("Table 1", "cifar10, K = 1", "gpu_memory_mb").verdict is Verdict.NOT_RUN
    paper_runs.search(tmp_path, space="darts", dataset="cifar10")
    assert found("Table 2", "DrNAS", "search_cost_gpu_days").verdict is Verdict.NOT_RUN  # searched on a CPU


def test_a_training_counts_by_the_published_recipe_alone(tmp_path, found):
    drnas = ("Table 2", "DrNAS", "test_error_pct")
    paper_runs.training(tmp_path, 2.40, recipe="pc_darts")
    paper_runs.training(tmp_path, 60.0, epochs=6)
    assert not found(*drnas).full and found(*drnas).verdict is Verdict.REDUCED_ONLY
    paper_runs.training(tmp_path, 2.47)
    assert values(found(*drnas).full) == [2.47] and found(*drnas).verdict is Verdict.WITHIN_SPREAD
    paper_runs.training(tmp_path, 24.0, genotype="DrNAS_imagenet", dataset="imagenet", protocol="paper")
    assert values(found("Table 3", "DrNAS", "top5_error_pct").full) == [8.0]


def test_runs_on_less_than_imagenet_are_reduced(tmp_path, found):
    """A folder of the same form, by the same settings: the record says that it is less."""
    searched, less = dict(space="darts", dataset="imagenet", progressive=False), "603 training images of 6 classes instead of 1,281,167"
    row = "DrNAS (without progressive learning)"
    record = paper_runs.search(tmp_path, **searched).file("record.json")
    write_json(record, read_json(record) | {"device": "a GPU", "reduced": [less]})
    cell = {"space": "darts", "method": "DrNAS", "cell": "darts_imagenet_drnas_released_plain-seed0"}
    paper_runs.training(tmp_path, 25.0, cell, genotype="DrNAS_imagenet", dataset="imagenet")
    cost, error = (found("Table 3", row, column) for column in ("search_cost_gpu_days", "top1_error_pct"))
    assert not cost.full and not error.full and cost.reduced[0].reason == less and less in error.reduced[0].reason
    write_json(record, read_json(record) | {"reduced": []})
    cost, error = (found("Table 3", row, column) for column in ("search_cost_gpu_days", "top1_error_pct"))
    assert values(cost.full) == [pytest.approx(1 / 24)] and values(error.full) == [25.0]


def test_a_found_cell_counts_only_where_its_search_was_full(tmp_path, found):
    """Table 6: the training is at full length every time."""
    given = read_params("search", "s2_cifar10_drnas_released")
    whole = {"recipe": "robust_spaces", "seed": 0}
    short = paper_runs.search(tmp_path, **given, epochs=[8])
    cell = {"space": "s2", "method": "DrNAS"}
    paper_runs.training(tmp_path, 2.5, cell | {"cell": f"{short.path.parent.name}-seed0"}, **whole)
    assert not found(*S2).full and "cell of a reduced search (8 instead of 50 epochs)" in found(*S2).reduced[0].reason
    paper_runs.training(tmp_path, 2.0, cell | {"cell": "s2_cifar10_drnas_released-seed0"}, **whole)
    assert not found(*S2).full  # no such search is there
    paper_runs.search(tmp_path, **given)
    assert values(found(*S2).full) == [2.0]
    assert found("Table 6", "DARTS", "S2").verdict is found("Table 6", "DrNAS", "S1").verdict is Verdict.NOT_RUN


def test_lookups_count_with_any_number_of_seeds_but_no_other_budget(committed):
    results = RunIndex.read(committed)
    finding = find(NUMBERS["Table 4", "Reinforce (Zoph et al., 2018)", "cifar10_test"], results)
    assert len(finding.full) == 500 and finding.full[0].run.parameters["policy_lr"] == 0.001
    assert find(NUMBERS["Table 4", "optimal", "cifar100_test"], results).full[0].value == pytest.approx(73.51, abs=0.005)


def test_eigenvalues_are_compared_with_those_of_darts_made_alike(tmp_path, found):
    growth, ratio = ("Figure 4", "DARTS", "eigenvalue_growth"), ("Figure 4", "DrNAS", "eigenvalue_ratio")
    paper_runs.eigenvalues(paper_runs.search(tmp_path, dataset="cifar10", method="darts"), [0.101, 1.001])
    paper_runs.eigenvalues(paper_runs.search(tmp_path, dataset="cifar10", epochs=[10]), [0.1, 0.05])
    assert values(found(*growth).full) == [pytest.approx(9.91, abs=0.01)] and found(*growth).verdict is Verdict.REPRODUCED
    assert found(*ratio).verdict is Verdict.NOT_RUN  # a reduced search is not held against a full one
    interrupted = paper_runs.search(tmp_path, dataset="cifar10", seed=1)
    paper_runs.eigenvalues(interrupted, [0.1, 0.501])
    measured = read_json(interrupted.file(paper_runs.EIGENVALUES))
    write_json(interrupted.file(paper_runs.EIGENVALUES), {"epochs": measured["epochs"][:-1]})
    paper_runs.eigenvalues(paper_runs.search(tmp_path, dataset="cifar10"), [0.1, 0.501])
    assert values(found(*ratio).full) == [pytest.approx(0.5)] and found(*ratio).verdict is Verdict.REPRODUCED


def test_draws_and_cells_of_the_figures(tmp_path, found):
    paper_runs.exploration(paper_runs.search(tmp_path, dataset="cifar10"), [80.0, 40.0])
    narrows = found("Figure 1", "search on CIFAR-10", "range_ratio")
    assert values(narrows.full) == [0.5] and narrows.verdict is Verdict.REPRODUCED
    published = str(cells.find("drnas_cifar10").genotype)
    paper_runs.search(tmp_path, genotype=published, space="darts", dataset="cifar10")
    assert values(found("Figure 2", "the cell that a search of ours finds", "other_edges").full) == [0.0]
    paper_runs.search(tmp_path, genotype=published.replace("skip_connect~0", "max_pool_3x3~0"), space="darts", dataset="cifar10", seed=1)
    assert values(found("Figure 2", "the cell that a search of ours finds", "other_edges").full) == [0.0, 1.0]
