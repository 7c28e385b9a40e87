"""What the learnt distribution would still explore, epoch by epoch (Figure 1): from the eta that every run keeps. NumPy and SciPy only."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from drnas_lib.benchmark import DATASETS, Benchmark, place
from drnas_lib.errors import Told
from drnas_lib.genotype import Genotype
from drnas_lib.records import RunFolder, environment, write_csv, write_json
from drnas_lib.search_report import SearchReport
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.space import Space

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
NODES = (np.arange(400) + 0.5) / 400  # midpoints in probability, for the chance of being the largest


class ExplorationError(Told, ValueError):
    """The run's method learns no distribution to sample from."""


@dataclass(frozen=True)
class Trace:
    """`epochs` (T,), `eta` (T, G, E, O) after each, `kept` (T, G, E, O): the operations that were still in the race."""

    space: Space
    epochs: np.ndarray
    eta: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, report: SearchReport) -> "Trace":
        """Raises ExplorationError for a method that learns no Dirichlet distribution."""
        settings = report.record["parameters"]
        if settings["method"] != "drnas":
            raise ExplorationError(f"method={settings['method']!r} learns no Dirichlet distribution. Allowed is a run of drnas.")
        space = SPACES[settings["space"]]
        eta = report.eta.eta.to_numpy().reshape(-1, *space.shape)  # eta.csv is in the order epoch, group, edge, operation
        kept = np.empty(eta.shape, dtype=bool)
        kept[0] = space.start(int(report.history.operations_kept.iloc[0]))
        for t in range(1, len(eta)):
            keep = int(report.history.operations_kept.iloc[t])
            pruned_now = keep < report.history.operations_kept.iloc[t - 1]
            kept[t] = _best(np.where(kept[t - 1], eta[t - 1], -np.inf), keep) if pruned_now else kept[t - 1]
        return cls(space, report.history.epoch.to_numpy(), eta, kept)


def concentration(eta: np.ndarray) -> np.ndarray:
    """beta = ELU(eta) + 1 (section 2.2)."""
    return np.where(eta > 0, eta, np.expm1(np.minimum(eta, 0.0))) + 1.0


def _best(scores: np.ndarray, keep: int) -> np.ndarray:
    """True at the `keep` largest of the last axis, of equal ones the first, as the search prunes."""
    rank = np.argsort(-scores, axis=-1, kind="stable")[..., :keep]
    kept = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(kept, rank, True, axis=-1)
    return kept


def draw(beta: np.ndarray, kept: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """log theta up to a constant for each edge, (S, G, E, O), theta ~ Dir(beta) on the kept operations, -inf elsewhere.

    In logarithms, log Gamma(b) = log Gamma(b + 1) + log(U) / b, so that small concentrations do not underflow to ties.
    """
    shape = (samples, *beta.shape)
    logs = np.log(rng.standard_gamma(beta + 1.0, shape)) + np.log1p(-rng.random(shape)) / beta
    return np.where(kept, logs, -np.inf)


def cells(space: Space, scores: np.ndarray) -> list[Genotype]:
    """The cell of each row of scores (S, G, E, O): the largest operation of each edge, or whatever the space's rule is."""
    known: dict[bytes, Genotype] = {}
    found = []
    for row in scores:
        key = row.tobytes() if len(space.groups) > 1 else row.argmax(-1).tobytes()
        if key not in known:
            known[key] = space.genotype(row)
        found.append(known[key])
    return found


def mean_scores(beta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """E[theta] on the kept operations, -inf elsewhere (eq. 4)."""
    total = np.where(kept, beta, 0.0).sum(-1, keepdims=True)
    return np.where(kept, beta / total, -np.inf)


def chances(beta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """P(theta_o is the largest of its edge), (..., O): the integral over operation o's quantiles of the others' distribution functions."""
    flat, mask = beta.reshape(-1, beta.shape[-1]), kept.reshape(-1, beta.shape[-1])
    result = np.zeros(flat.shape)
    for e, (row, alive) in enumerate(zip(flat, mask)):
        places = np.flatnonzero(alive)
        below = stats.gamma.logcdf(stats.gamma.ppf(NODES, row[places][:, None])[:, None, :], row[places][None, :, None])  # i j node
        below[np.arange(len(places)), np.arange(len(places))] = 0.0
        result[e, places] = np.exp(below.sum(1)).mean(-1)
    result /= result.sum(-1, keepdims=True)
    return result.reshape(beta.shape)


def entropy(probabilities: np.ndarray) -> float:
    """Entropy in nats, summed over all edges."""
    return float(-(probabilities * np.log(np.where(probabilities > 0, probabilities, 1.0))).sum())


def dirichlet_entropy(beta: np.ndarray, kept: np.ndarray) -> float:
    """Differential entropy of theta in nats, summed over all edges; negative where it is sharp."""
    rows = zip(beta.reshape(-1, beta.shape[-1]), kept.reshape(-1, beta.shape[-1]))
    return float(sum(stats.dirichlet.entropy(row[alive]) for row, alive in rows if alive.sum() > 1))


def by_epoch(trace: Trace, samples: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables: a row for each epoch, and a row for each epoch and drawn cell (columns epoch, genotype).

    The first: mean_cell (of the Dirichlet mean), distinct_cells among the draws, choice_entropy_nats (of the operation that wins on each
    edge, exact, summed over edges), effective_choices = its exponential, theta_entropy_nats (differential). Epoch by epoch a
    random stream of its own: a part of the epochs gives the same draws.
    """
    rows, drawn = [], []
    for epoch, eta, kept in zip(trace.epochs, trace.eta, trace.kept):
        beta = concentration(eta)
        found = [str(cell) for cell in cells(trace.space, draw(beta, kept, samples, np.random.default_rng([seed, int(epoch)])))]
        drawn += [{"epoch": int(epoch), "genotype": cell} for cell in found]
        choice = entropy(chances(beta, kept))
        rows.append(
            {
                "epoch": int(epoch),
                "mean_cell": str(trace.space.genotype(mean_scores(beta, kept))),
                "distinct_cells": len(set(found)),
                "choice_entropy_nats": choice,
                "effective_choices": float(np.exp(choice)),
                "theta_entropy_nats": dirichlet_entropy(beta, kept),
            }
        )
    return pd.DataFrame(rows), pd.DataFrame(drawn)


def accuracies(epochs: pd.DataFrame, drawn: pd.DataFrame, table: Benchmark, split: str = "test") -> pd.DataFrame:
    """A row for each epoch and data set of the benchmark: accuracy in % and rank of the mean cell, and quantiles over the draws.

    Columns: epoch, dataset, mean_cell_pct, mean_cell_rank, mean_cell_below_pct (see benchmark.Standing), q0_pct (the smallest), q5_pct,
    q25_pct, q50_pct, q75_pct, q95_pct, q100_pct (the largest).
    """
    rows = []
    for dataset in DATASETS:
        column = table.frame[f"{dataset}_{split}"]
        quantiles = column.loc[drawn.genotype].groupby(drawn.epoch.to_numpy()).quantile(list(QUANTILES)).unstack()
        quantiles.columns = [f"q{100 * q:.0f}_pct" for q in QUANTILES]
        means = column.loc[epochs.mean_cell].to_numpy()
        own = pd.DataFrame({"epoch": epochs.epoch, "dataset": dataset, "mean_cell_pct": means})
        own["mean_cell_rank"], own["mean_cell_below_pct"] = table.ranks(means, dataset, split)
        rows.append(own.join(quantiles, on="epoch"))
    return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True)
class Exploration:
    """`epochs` of by_epoch; `accuracy` of accuracies and `optima` (best of the benchmark, %) by data set, None and empty without the table.

    `unknown` then says how to get it.
    """

    report: SearchReport
    epochs: pd.DataFrame
    accuracy: pd.DataFrame | None
    optima: dict[str, float]
    unknown: str


def study(path: str, samples: int, seed: int, split: str) -> Exploration:
    """The exploration of a finished run, kept beside it as exploration_*.csv. Raises RecordError, ExplorationError."""
    report = SearchReport.read(path)
    epochs, drawn = by_epoch(Trace.of(report), samples, seed)
    table, missing = Benchmark.found()
    accuracy = table and accuracies(epochs, drawn, table, split)
    optima = {name: table.optimum(name, split)[1] for name in DATASETS} if table else {}
    unknown = f"The accuracy of the cells is unknown here: {missing}" if missing else ""
    folder = RunFolder(path)
    kept = {"exploration_epochs.csv": epochs} | ({} if accuracy is None else {"exploration_accuracy.csv": accuracy})
    for name, rows in kept.items():
        write_csv(folder.file(name), rows.to_dict("records"))
    about = {"samples": samples, "seed": seed, "split": split, "environment": environment()}
    write_json(folder.file("exploration.json"), about)
    return Exploration(report, epochs, accuracy, optima, unknown)


def conclusion(found: Exploration, samples: int) -> str:
    """What the draws say of first and last epoch, in sentences."""
    first, last, dataset = found.epochs.iloc[0], found.epochs.iloc[-1], found.report.dataset
    reduced = found.report.record["reduced"]
    said = (
        f"Of {samples} draws, {first.distinct_cells} cells are distinct after epoch {first.epoch} and {last.distinct_cells} after epoch "
        f"{last.epoch}; the distribution is as wide as {first.effective_choices:,.0f} and {last.effective_choices:,.0f} equally likely "
        "choices."
    )
    if found.accuracy is not None:
        accuracy = found.accuracy
        of = accuracy[accuracy.dataset == (dataset if dataset in DATASETS else DATASETS[0])].sort_values("epoch")
        start, end = of.iloc[0], of.iloc[-1]
        said += (
            f" The range of their accuracy on {start.dataset} goes from {start.q0_pct:.1f} to {start.q100_pct:.1f} % at first, to "
            f"{end.q0_pct:.1f} to {end.q100_pct:.1f} % at last (half of the draws within {end.q25_pct:.1f} to {end.q75_pct:.1f} %), and "
            f"the cell of the mean from {_place(start)} to {_place(end)}; the best cell of all has {found.optima[start.dataset]:.2f} %. "
            "The paper's Figure 1 draws the same range and line, and its text states no values."
        )
    return f"**{said}**" + (f" This was a reduced run ({'; '.join(reduced)}), not the paper's." if reduced else "")


def _place(of: pd.Series) -> str:
    return f"{of.mean_cell_pct:.1f} % ({place(of.mean_cell_rank, of.mean_cell_below_pct)})"
