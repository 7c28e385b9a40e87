"""drnas_lib.exploration against brute force, PyTorch's Dirichlet and the search's own mask."""

import numpy as np
import pandas as pd
import pytest
import torch

from drnas_lib import exploration
from drnas_lib.benchmark import Benchmark, how_to_get
from drnas_lib.exploration import ExplorationError, Trace
from drnas_lib.genotype import NB201_OPERATIONS
from drnas_lib.records import PROJECT
from drnas_lib.search_report import SearchReport
from drnas_lib.spaces import SPACES

RUNS = sorted((PROJECT / "results" / "search").glob("nb201_cifar10_drnas_*/seed0"))
SPACE = SPACES["nb201"]


def report(beta_rows, kept):
    """A finished search, made up: eta whose concentration is `beta_rows` (T, 1, 6, 5)."""
    eta = np.where(beta_rows >= 1, beta_rows - 1, np.log(beta_rows))
    history = pd.DataFrame({"epoch": range(1, len(eta) + 1), "operations_kept": kept})
    record = {"parameters": {"space": "nb201", "method": "drnas"}}
    return SearchReport(record, history, pd.DataFrame({"eta": eta.ravel()}), None)


def test_the_range_is_that_of_brute_force(data_root):
    rng = np.random.default_rng(0)
    trace = Trace.of(report(rng.uniform(0.2, 4.0, (3, 1, 6, 5)), [5, 5, 5]))
    epochs, drawn = exploration.by_epoch(trace, 100, seed=7)
    table = Benchmark.load()
    got = exploration.accuracies(epochs, drawn, table).set_index(["dataset", "epoch"])
    for t, epoch in enumerate((1, 2, 3)):
        beta = exploration.concentration(trace.eta[t])
        logs = exploration.draw(beta, trace.kept[t], 100, np.random.default_rng([7, epoch]))
        accuracies = []
        for sample in logs:
            picked = [NB201_OPERATIONS[max(range(5), key=lambda o, row=row: row[o])] for row in sample[0]]
            a, b, c, d, e, f = picked
            arch = f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"
            accuracies.append(table.frame.at[arch, "cifar100_test"])
        row = got.loc["cifar100", epoch]
        standing = table.standing(row.mean_cell_pct, "cifar100", "test")
        assert (row.mean_cell_rank, row.mean_cell_below_pct) == (standing.rank, standing.below_pct)
        assert (row.q0_pct, row.q100_pct, row.q50_pct) == (min(accuracies), max(accuracies), pytest.approx(np.median(accuracies)))
        assert epochs.distinct_cells[t] == len(set(drawn.genotype[drawn.epoch == epoch]))


def test_draws_are_dirichlet():
    beta, kept = np.array([[[0.05, 0.6, 3.0, 1.0, 2.0]] * 6]), np.ones((1, 6, 5), dtype=bool)
    kept[..., 4] = False
    logs = exploration.draw(beta, kept, 40_000, np.random.default_rng(1))
    theta = np.exp(logs - np.logaddexp.reduce(logs, -1, keepdims=True)).reshape(-1, 5)
    want = torch.distributions.Dirichlet(torch.tensor([0.05, 0.6, 3.0, 1.0]))
    np.testing.assert_allclose(theta.mean(0)[:4], want.mean, atol=3e-3)
    np.testing.assert_allclose(theta.var(0)[:4], want.variance, rtol=0.03)
    assert (theta[:, 4] == 0).all()


def test_chance_of_being_the_largest_is_the_frequency():
    rng = np.random.default_rng(2)
    beta, kept = rng.uniform(0.1, 5.0, (1, 6, 5)), np.ones((1, 6, 5), dtype=bool)
    kept[:, 0, 1] = False
    wins = exploration.draw(beta, kept, 60_000, rng).argmax(-1)  # S 1 6
    frequency = np.stack([(wins == o).mean(0) for o in range(5)], -1)
    np.testing.assert_allclose(exploration.chances(beta, kept), frequency, atol=8e-3)


def test_entropies_of_the_flat_prior():
    beta, kept = np.ones((1, 6, 5)), np.ones((1, 6, 5), dtype=bool)
    assert exploration.entropy(exploration.chances(beta, kept)) == pytest.approx(6 * np.log(5), abs=1e-9)
    flat = torch.distributions.Dirichlet(torch.ones(5, dtype=torch.float64)).entropy()
    assert exploration.dirichlet_entropy(beta, kept) == pytest.approx(6 * float(flat), rel=1e-9)


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.parent.name[:30])
def test_the_mean_cell_of_every_epoch_is_the_one_that_the_run_wrote(folder):
    """On real runs, the pruned one too: mask and eta read back as the search had them."""
    found = SearchReport.read(folder)
    trace = Trace.of(found)
    epochs, drawn = exploration.by_epoch(trace, 5, seed=0)
    assert list(epochs.mean_cell) == list(found.history.genotype)
    assert (trace.kept.sum(-1) == found.history.operations_kept.to_numpy()[:, None, None]).all()
    assert (trace.eta[~trace.kept] == 0).all(), "what was dropped rests at the anchor"
    again = exploration.by_epoch(trace, 5, seed=0)[1]
    assert drawn.equals(again)


def test_a_run_without_a_distribution_is_refused():
    found = report(np.ones((1, 1, 6, 5)), [5])
    found.record["parameters"]["method"] = "darts"
    with pytest.raises(ExplorationError, match="method='darts'"):
        Trace.of(found)


def test_the_conclusion_ranks_the_cell_of_the_mean(data_root, tmp_path):
    for name in ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json"):
        (tmp_path / name).write_text((RUNS[0] / name).read_text())
    found = exploration.study(str(tmp_path), 10, 0, "test")
    last = found.accuracy[found.accuracy.dataset == "cifar10"].iloc[-1]
    assert f"to {last.mean_cell_pct:.1f} % (rank {last.mean_cell_rank:,.0f}, better than" in exploration.conclusion(found, 10)
    assert "the best cell of all has 94.37 %" in exploration.conclusion(found, 10)


def test_without_the_benchmark_the_width_is_known_and_the_accuracy_is_not(tmp_path, monkeypatch):
    for name in ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json"):
        (tmp_path / name).write_text((RUNS[0] / name).read_text())
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path / "nothing"))
    found = exploration.study(str(tmp_path), 10, 0, "test")
    assert found.accuracy is None and how_to_get() in found.unknown
    assert "distinct after epoch" in exploration.conclusion(found, 10)
    assert (tmp_path / "exploration_epochs.csv").exists() and not (tmp_path / "exploration_accuracy.csv").exists()
