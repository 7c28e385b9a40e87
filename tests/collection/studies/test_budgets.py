"""drnas_lib.collection.studies.budgets: real runs, the real table, every cell asked."""

import numpy as np
import pandas as pd
import pytest

from drnas_lib.benchmark.table import Benchmark, how_to_get
from drnas_lib.collection.studies import budgets, darts_costs, exploration
from drnas_lib.collection.studies.budgets import LEARNT, UNIFORM, ConstrainedError, learnt_scores, uniform_scores
from drnas_lib.collection.studies.config import ConstrainedConfig
from drnas_lib.collection.studies.exploration import Trace
from drnas_lib.collection.views import study_plots
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.genotype import NB201_OPERATIONS, Nb201Genotype
from drnas_lib.nets.cost import nb201_cost
from drnas_lib.runs.files import PROJECT
from drnas_lib.spaces.darts import DARTS

RUN = PROJECT / "results" / "search" / "nb201_cifar10_drnas_released_laptop" / "seed0"


def macs(cell):
    return nb201_cost(cell).macs / 1e6


@pytest.fixture(scope="module")
def trace():
    return Trace.of(SearchReport.read(RUN))


def test_what_is_picked_is_within_the_budget_and_the_most_probable_first(trace):
    table = budgets.under_budget(trace, macs, 90.0, 500, seed=3)
    drawn = [str(cell) for cell in exploration.cells(trace.space, learnt_scores(trace, 500, np.random.default_rng(3)))]
    chances = exploration.log_chances(exploration.concentration(trace.eta[-1]), trace.kept[-1])[0]
    for row in table.itertuples():
        assert row.cost == macs(Nb201Genotype.parse(row.genotype)) <= 90.0 and row.draws == drawn.count(row.genotype)
        operations = Nb201Genotype.parse(row.genotype).operations
        by_hand = sum(chances[e, NB201_OPERATIONS.index(o)] for e, o in enumerate(operations))
        assert row.log_probability == pytest.approx(by_hand)
    assert set(table.genotype) == {cell for cell in drawn if macs(Nb201Genotype.parse(cell)) <= 90.0}
    assert table.log_probability.is_monotonic_decreasing


def test_a_budget_that_nothing_meets_says_what_would(trace):
    with pytest.raises(ConstrainedError, match="budget=1: none of .* the cheapest costs"):
        budgets.under_budget(trace, macs, 1, 10, seed=0)


def test_any_cost_will_do(trace):
    table = budgets.under_budget(trace, lambda cell: float(cell.operations.count("nor_conv_3x3")), 2, 200, seed=0)
    assert (table.cost <= 2).all()


def test_a_cost_that_is_not_known_is_named():
    with pytest.raises(ConstrainedError, match="'latency_ms' is not known for the space 's2'. Allowed are parameters, macs, imagenet_macs"):
        budgets.cost_of("s2", "latency_ms")


def test_uniform_draws_are_uniform(trace):
    cells = exploration.cells(trace.space, uniform_scores(trace, 3000, np.random.default_rng(0)))
    counts = pd.Series([operation for cell in cells for operation in cell.operations]).value_counts()
    np.testing.assert_allclose(counts / counts.sum(), 0.2, atol=0.01)


def test_shares_of_all_cells_and_of_more_draws(trace, data_root):
    space = budgets.whole_space(macs, Benchmark.load(), "cifar10_test")
    assert len(space) == 15_625 and space.cost.min() == pytest.approx(7.78, abs=0.1)  # millions, of the benchmark's cheapest cell
    shares = budgets.recovered(trace, space, ConstrainedConfig(samples=[10, 200], repeats=4))
    assert budgets.hypervolume(space.cost, space.accuracy_pct, budgets.reference(space)) > 0
    means = shares.groupby(["distribution", "samples"]).share_pct.mean()
    assert shares.share_pct.between(0, 100).all()
    assert means[UNIFORM, 10] < means[UNIFORM, 200] and means[LEARNT, 10] < means[LEARNT, 200]


def test_the_study_of_a_run_with_a_measured_latency(data_root, tmp_path):
    for name in ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json"):
        (tmp_path / name).write_text((RUN / name).read_text())
    config = ConstrainedConfig(cost="latency_ms", samples=[3], timings=1, batch_size=1, device="cpu")
    study = budgets.study(str(tmp_path), config)
    assert (study.picked.cost > 0).all() and study.space is None and "batch of 1" in study.circumstances
    assert (tmp_path / "constrained_latency_ms_cifar10_cells.csv").exists()
    first, said = study.picked.iloc[0], study.conclusion()
    standing = Benchmark.load().standing(first.accuracy_pct, "cifar10", "test")
    assert (first["rank"], first.below_pct) == (standing.rank, standing.below_pct)
    assert f"The most probable cell drawn without a budget has {first.accuracy_pct:.2f} % (rank {standing.rank:,}, better than" in said


def test_without_the_table_the_cells_are_counted_and_not_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    for name in ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json"):
        (tmp_path / name).write_text((RUN / name).read_text())
    config = ConstrainedConfig(samples=[20], budget=100.0)
    study = budgets.study(str(tmp_path), config)
    assert study.picked.cost.max() <= 100 and study.shares is None and "accuracy_pct" not in study.picked
    assert f"How good they are is unknown here: {how_to_get()}" in study.conclusion()
    assert study_plots.cells_by_cost(study, "cifar10", 100.0).axes


def test_cells_of_the_darts_space_within_a_budget_of_multiply_adds():
    """Of the committed search of that space, in the ImageNet network; every drawn cell is under the mobile limit of 600 million."""
    (run,) = (PROJECT / "results" / "search").glob("darts_cifar10_drnas_released_*/seed0")
    trace, cost = Trace.of(SearchReport.read(run)), lambda cell: budgets.cost_of("darts", "imagenet_macs").of(cell, ConstrainedConfig())
    table = budgets.under_budget(trace, cost, 500.0, 40, 0)
    everything = budgets.under_budget(trace, cost, 600.0, 40, 0)
    assert 0 < len(table) < len(everything) and table.cost.max() <= 500 < everything.cost.max()
    drawn = {str(cell): cell for cell in exploration.cells(trace.space, learnt_scores(trace, 40, np.random.default_rng(0)))}
    first = table.iloc[0]
    assert first.cost == darts_costs.cost(drawn[first.genotype], "imagenet").macs / 1e6
    config, unknown = ConstrainedConfig(budget=500.0), exploration.benchmark_of(DARTS)[1]
    study = budgets.Study(config, table, everything, None, None, "million multiply-adds on ImageNet", "counted", unknown, [])
    said = study.conclusion()
    assert "within 500 million" in said and said.endswith("no benchmark has the cells of space 'darts'; each would have to be trained.**")
    assert study_plots.cells_by_cost(study, "cifar10", 500.0).axes
