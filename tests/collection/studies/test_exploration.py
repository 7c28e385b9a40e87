"""drnas_lib.collection.studies.exploration against brute force, PyTorch's Dirichlet and the search's own mask."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special

from drnas_lib.architecture import dirichlet
from drnas_lib.benchmark.table import Benchmark, how_to_get
from drnas_lib.collection.studies import exploration
from drnas_lib.collection.studies.config import ExplorationConfig
from drnas_lib.collection.studies.exploration import ExplorationError, Trace
from drnas_lib.collection.views import study_plots
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.genotype import NB201_OPERATIONS
from drnas_lib.runs.files import PROJECT, RecordError
from drnas_lib.spaces import SPACES

RUNS = sorted((PROJECT / "results" / "search").glob("nb201_cifar10_drnas_*/seed0"))
OTHERS = sorted((PROJECT / "results" / "search").glob("[ds]*_cifar10_drnas_*/seed0"))
FILES = ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json")
SPACE = SPACES["nb201"]
TEN = ExplorationConfig(samples=10)


def report(beta_rows, kept, space=SPACE):
    """A finished search, made up: eta whose concentration is `beta_rows` (T, G, E, O), without what never competed."""
    eta = np.where(beta_rows >= 1, beta_rows - 1, np.log(beta_rows))
    history = pd.DataFrame({"epoch": range(1, len(eta) + 1), "operations_kept": kept})
    record = {"parameters": {"space": space.name, "method": "drnas"}, "reduced": [], "data": {"name": "digits"}}
    names = ["epoch", "group", "edge", "operation"]
    edges = [f"{source}-{target}" for source, target in space.edges]
    rows = pd.MultiIndex.from_product([history.epoch, space.groups, edges, space.operations], names=names)
    there = np.broadcast_to(space.initial_mask(kept[0]), eta.shape).ravel()
    return SearchReport(record, history, None, pd.DataFrame({"eta": eta.ravel()}, index=rows).reset_index()[there])


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
    theta = special.expit(exploration.draw(beta, kept, 40_000, np.random.default_rng(1))).reshape(-1, 5)
    np.testing.assert_allclose(theta.sum(-1), 1.0)
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
    np.testing.assert_allclose(np.exp(exploration.log_chances(beta, kept)), frequency, atol=8e-3)


@pytest.mark.parametrize("a", [1e-40, 1e-3, 0.5, 3.0, 200.0, 1e6])
@pytest.mark.parametrize("b", [1e-40, 0.05, 1.0, 20.0, 1e6])
def test_the_chance_of_two_is_the_beta_distribution_at_a_half(a, b):
    found = np.exp(exploration.log_chances(np.array([a, b, 7.0]), np.array([True, True, False])))
    want = special.betainc(b, a, 0.5)  # P(theta_b < 1 / 2)
    np.testing.assert_allclose(found, [want, 1 - want, 0.0], atol=2e-5)


def test_beta_is_that_of_the_search():
    eta = np.array([-60.0, -3.0, -0.1, 0.0, 0.5, 4.0])
    np.testing.assert_allclose(exploration.concentration(eta), dirichlet.concentration(torch.tensor(eta)), rtol=1e-12)


@pytest.mark.parametrize("eta", [[-100.0, -99.0, -98.5, -101.0, -99.5], [-500.0] * 5, [-60.0, -61.0, -100.0, -59.0, -70.0]])
def test_where_beta_is_tiny_chances_are_its_shares_and_draws_follow(eta):
    beta, kept = exploration.concentration(np.array([[eta] * 6])), np.ones((1, 6, 5), dtype=bool)
    share = beta[0, 0] / beta[0, 0].sum()
    np.testing.assert_allclose(np.exp(exploration.log_chances(beta, kept)[0, 0]), share, rtol=1e-9)
    odds = exploration.draw(beta, kept, 4000, np.random.default_rng(0))
    np.testing.assert_allclose([(odds.argmax(-1) == o).mean() for o in range(5)], share, atol=0.015)
    assert len(np.unique(odds.max(-1))) == 24_000, "no two edges tie: the cells of DARTS' rule depend on which is larger"
    np.testing.assert_allclose(exploration.mean_scores(beta, kept)[0, 0], share)
    assert np.isfinite(exploration.dirichlet_entropy(beta, kept))


def test_entropies_of_the_flat_prior():
    beta, kept = np.ones((1, 6, 5)), np.ones((1, 6, 5), dtype=bool)
    assert exploration.entropy(exploration.log_chances(beta, kept)) == pytest.approx(6 * np.log(5), abs=1e-9)
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


@pytest.mark.parametrize("folder", OTHERS, ids=lambda path: path.parent.name[:30])
def test_eta_is_joined_by_name_in_every_space(folder):
    """Of searches in the DARTS space and in S2, whose cell is derived from softmax(eta): the history has it for every epoch."""
    found = SearchReport.read(folder)
    trace = Trace.of(found)
    logits = np.where(trace.kept, trace.eta, -np.inf)
    derived = [str(trace.space.genotype(scores)) for scores in special.softmax(logits, axis=-1)]
    assert derived == list(found.history.genotype)
    assert (trace.kept.sum(-1) == found.history.operations_kept.to_numpy()[:, None, None]).all()
    shuffled = replace(found, eta=found.eta.sample(frac=1, random_state=0))
    assert (Trace.of(shuffled).eta == trace.eta).all()
    with pytest.raises(RecordError, match="does not hold every operation"):
        Trace.of(replace(found, eta=found.eta.iloc[1:]))


@pytest.mark.parametrize(("name", "kept"), [("darts", [7, 7, 4]), ("darts", [8, 1]), ("s1", [2, 2]), ("s2", [2]), ("s3", [3]), ("s4", [2])])
def test_every_space_is_explored(name, kept):
    """With eta at the extremes of a learning rate that is far too large."""
    space = SPACES[name]
    eta = np.random.default_rng(0).choice([-100.0, -40.0, -8.0, 0.0, 3.0, 1e6], (len(kept), *space.shape))
    trace = Trace.of(report(exploration.concentration(eta), kept, space))
    epochs, drawn = exploration.by_epoch(trace, 20, seed=0)
    assert np.isfinite(epochs.select_dtypes("number")).all(axis=None) and len(drawn) == 20 * len(kept)
    competed = {space.operations[o] for *_, o in np.argwhere(trace.kept[0])} - {"none"}
    assert all(
        {operation for _, _, operation in cell.edges("normal")} <= competed
        for cell in exploration.cells(space, np.where(trace.kept, eta, -np.inf))
    )


def test_the_accuracy_of_cells_that_no_benchmark_has_is_unknown(tmp_path, data_root):
    for name in FILES:
        (tmp_path / name).write_text((OTHERS[0] / name).read_text())
    found = exploration.study(str(tmp_path), TEN)
    assert found.accuracy is None and found.unknown.startswith("The accuracy of the cells is unknown here: no benchmark has the cells")
    assert "distinct after epoch" in found.conclusion()
    assert study_plots.exploration_width(found.epochs, 10).axes


def test_a_run_without_a_distribution_is_refused():
    found = report(np.ones((1, 1, 6, 5)), [5])
    found.record["parameters"]["method"] = "darts"
    with pytest.raises(ExplorationError, match="method='darts'"):
        Trace.of(found)


def test_the_conclusion_ranks_the_cell_of_the_mean(data_root, tmp_path):
    for name in ("done.json", "record.json", "history.csv", "eta.csv", "genotype.json"):
        (tmp_path / name).write_text((RUNS[0] / name).read_text())
    found = exploration.study(str(tmp_path), TEN)
    last = found.accuracy[found.accuracy.dataset == "cifar10"].iloc[-1]
    assert f"to {last.mean_cell_pct:.1f} % (rank {last.mean_cell_rank:,.0f}, better than" in found.conclusion()
    assert "the best cell of all has 94.37 %" in found.conclusion()


def test_without_the_benchmark_the_width_is_known_and_the_accuracy_is_not(tmp_path, monkeypatch):
    for name in FILES:
        (tmp_path / name).write_text((RUNS[0] / name).read_text())
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path / "nothing"))
    found = exploration.study(str(tmp_path), TEN)
    assert found.accuracy is None and how_to_get() in found.unknown
    assert "distinct after epoch" in found.conclusion()
    assert (tmp_path / "exploration_epochs.csv").exists() and not (tmp_path / "exploration_accuracy.csv").exists()
