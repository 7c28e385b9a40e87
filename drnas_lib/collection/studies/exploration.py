"""The cells that the learnt distribution proposes, epoch by epoch (Figure 1), from the eta that every run records. Without torch."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy import interpolate, special, stats

from drnas_lib.benchmark.table import DATASETS, Benchmark, place
from drnas_lib.collection.studies.config import ExplorationConfig
from drnas_lib.collection.views.search_report import DIRICHLET, SearchReport
from drnas_lib.config.space_rules import RULES
from drnas_lib.errors import UserError
from drnas_lib.genotype import Genotype
from drnas_lib.runs.files import RecordError, RunFolder, environment, write_csv, write_json
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.space import Space

EPOCH_COLUMNS = ["epoch", "mean_cell", "distinct_cells", "choice_entropy_nats", "effective_choices", "theta_entropy_nats"]
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
FLOOR = -300.0  # of eta: below it beta stays at 5e-131, as in architecture/dirichlet.py
LOG_ODDS = np.linspace(-30.0, 30.0, 181)  # of the quantiles over which the distribution of the largest is integrated
TINY = 1e-10  # for x up to here P(G < x) = x^b / Gamma(b + 1) to all digits, G a gamma variable with concentration b


class ExplorationError(UserError, ValueError):
    """The run's method learns no Dirichlet distribution."""


@dataclass(frozen=True)
class Trace:
    """`epochs` (T,), `eta` (T, G, E, O) after each, `kept` (T, G, E, O): the operations that were not pruned yet."""

    space: Space
    epochs: np.ndarray
    eta: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, report: SearchReport) -> "Trace":
        """The trace of a finished search. Raises ExplorationError for another method than DrNAS, RecordError for an incomplete eta.csv."""
        settings = report.record["parameters"]
        if settings["method"] not in DIRICHLET:
            raise ExplorationError(f"method={settings['method']!r} of this run learns no Dirichlet distribution. Allowed is drnas.")
        space, epochs, counts = SPACES[settings["space"]], report.history.epoch.to_numpy(), report.history.operations_kept.tolist()
        kept = [np.array(space.initial_mask(counts[0]))]
        eta = _joined(report.eta, epochs, space, kept[0])
        for before, (earlier, count) in zip(eta, pairwise(counts)):
            kept.append(_best(np.where(kept[-1], before, -np.inf), count) if count < earlier else kept[-1])
        return cls(space, epochs, eta, np.stack(kept))


def _joined(rows: pd.DataFrame, epochs: np.ndarray, space: Space, available: np.ndarray) -> np.ndarray:
    """eta (T, G, E, O) from rows with epoch, group, edge and operation, joined by these names; 0 for operations not `available`."""
    names = [epochs, space.groups, [f"{source}-{target}" for source, target in space.edges], space.operations]
    there = rows.set_index(["epoch", "group", "edge", "operation"]).eta
    eta = there.reindex(pd.MultiIndex.from_product(names)).to_numpy().reshape(len(epochs), *space.shape)
    if len(there) != len(epochs) * available.sum() or np.isnan(eta[:, available]).any():
        raise RecordError(f"eta.csv does not hold every operation of space {space.name!r} once an epoch. Search again with rerun=True.")
    return np.where(available, eta, 0.0)


def concentration(eta: np.ndarray) -> np.ndarray:
    """beta = ELU(eta) + 1 > 0 (section 2.2): exp(eta) below 0, where the sum itself would round to 0."""
    return np.exp(np.clip(eta, FLOOR, 0.0)) + np.maximum(eta, 0.0)


def _best(scores: np.ndarray, keep: int) -> np.ndarray:
    """True at the `keep` largest of the last axis, the first of equal ones, as the search prunes."""
    order = np.argsort(-scores, axis=-1, kind="stable")
    return np.argsort(order, axis=-1) < keep


def draw(beta: np.ndarray, kept: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """log(theta / (1 - theta)) (S, G, E, O) of `samples` draws theta ~ Dir(beta) on the kept operations, -inf elsewhere.

    Gamma variables are drawn as log Gamma(b) = log Gamma(b + 1) + log(U) / b, so that small concentrations do not underflow. Log-odds
    still differ between edges whose theta all round to 1.
    """
    shape = (samples, *beta.shape)
    logs = np.where(kept, np.log(rng.standard_gamma(beta + 1.0, shape)) + np.log1p(-rng.random(shape)) / beta, -np.inf)
    with np.errstate(divide="ignore"):
        others = [special.logsumexp(np.delete(logs, o, axis=-1), axis=-1) for o in range(beta.shape[-1])]
    return np.where(kept, logs - np.stack(others, -1), -np.inf)


def cells(space: Space, scores: np.ndarray) -> list[Genotype]:
    """The cell of each row of scores (S, G, E, O), by the space's rule, such as the largest operation of each edge."""
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


def log_chances(beta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """log P(theta_o is the largest of its edge), (..., O), -inf for dropped operations."""
    result = np.full(beta.shape, -np.inf)
    for edge in np.ndindex(beta.shape[:-1]):
        result[edge][kept[edge]] = _log_chances(beta[edge][kept[edge]][:, None])
    return result


def _log_chances(beta: np.ndarray) -> np.ndarray:
    """Those of the operations (O,) of one edge with concentrations beta (O, 1).

    theta_o is the largest where G_o is, with independent gamma variables G. If the largest is x, it is G_o with a probability proportional
    to f_o(x) / F_o(x), density over distribution function. That is averaged over x, whose distribution function is the product of all F.
    """
    below, above = special.expit(LOG_ODDS), special.expit(-LOG_ODDS)
    quantiles = np.where(below < 0.5, special.gammaincinv(beta, below), special.gammainccinv(beta, above))  # O n
    of_tiny = (special.log_expit(LOG_ODDS) + special.gammaln(beta + 1.0)) / beta
    with np.errstate(divide="ignore"):
        x = np.unique(np.where(quantiles < TINY, of_tiny, np.log(quantiles)))  # n: log x, a grid fine enough for each G and the largest
        log_cdf = np.log(special.gammainc(beta, np.exp(x)))
    log_cdf = np.where(x < np.log(TINY), beta * x - special.gammaln(beta + 1.0), log_cdf)  # O n: log F
    of_largest = log_cdf.sum(0)
    x, log_cdf, of_largest = (value[..., (of_largest > -np.inf) & (of_largest < 0)] for value in (x, log_cdf, of_largest))
    odds, first = np.unique(of_largest - np.log(-np.expm1(of_largest)), return_index=True)
    rates = beta * x - np.exp(x) - special.gammaln(beta) - log_cdf  # log of f / F, times x
    shares = interpolate.pchip_interpolate(odds, special.log_softmax(rates, axis=0)[:, first], np.clip(LOG_ODDS, odds[0], odds[-1]), axis=1)
    mean = special.logsumexp(shares + special.log_expit(LOG_ODDS) + special.log_expit(-LOG_ODDS), axis=1)
    return special.log_softmax(mean)


def entropy(log_probabilities: np.ndarray) -> float:
    """Entropy in nats, summed over all edges."""
    return float(special.entr(np.exp(log_probabilities)).sum())


def dirichlet_entropy(beta: np.ndarray, kept: np.ndarray) -> float:
    """Differential entropy of theta in nats, summed over all edges; negative for a sharp distribution."""
    rows = zip(beta.reshape(-1, beta.shape[-1]), kept.reshape(-1, beta.shape[-1]))
    return float(sum(stats.dirichlet.entropy(row[alive]) for row, alive in rows if alive.sum() > 1))


def by_epoch(trace: Trace, samples: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tables: a row for each epoch, and a row for each epoch and drawn cell (columns epoch, genotype).

    The first: mean_cell (of the Dirichlet mean), distinct_cells among the draws, choice_entropy_nats (of the operation that wins on each
    edge, exact, summed over edges), effective_choices = its exponential, theta_entropy_nats (differential).
    """
    rows, drawn = [], []
    for epoch, eta, kept in zip(trace.epochs.tolist(), trace.eta, trace.kept):
        beta, stream = concentration(eta), np.random.default_rng([seed, epoch])  # so that draws do not depend on the other epochs
        found = [str(cell) for cell in cells(trace.space, draw(beta, kept, samples, stream))]
        drawn += [{"epoch": epoch, "genotype": cell} for cell in found]
        choice = entropy(log_chances(beta, kept))
        mean_cell = str(trace.space.genotype(mean_scores(beta, kept)))
        rows.append([epoch, mean_cell, len(set(found)), choice, float(np.exp(choice)), dirichlet_entropy(beta, kept)])
    return pd.DataFrame(rows, columns=EPOCH_COLUMNS), pd.DataFrame(drawn)


def benchmark_of(space: Space) -> tuple[Benchmark | None, str]:
    """The benchmark of the space's cells, or None and why there is none."""
    if not RULES[space.name].benchmark:
        return None, f"no benchmark has the cells of space {space.name!r}; each would have to be trained."
    return Benchmark.load_if_available()


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
    """`epochs` of by_epoch; `accuracy` of accuracies and `optima` (best of the benchmark, %), None and empty where they are `unknown`."""

    config: ExplorationConfig
    report: SearchReport
    epochs: pd.DataFrame
    accuracy: pd.DataFrame | None
    optima: dict[str, float]
    unknown: str

    def conclusion(self) -> str:
        """The draws after the first and the last epoch compared, in sentences."""
        first, last, dataset = self.epochs.iloc[0], self.epochs.iloc[-1], self.report.dataset
        reduced = self.report.record["reduced"]
        said = (
            f"Of {self.config.samples} draws, {first.distinct_cells} cells are distinct after epoch {first.epoch} and "
            f"{last.distinct_cells} after epoch {last.epoch}; the distribution is as wide as {first.effective_choices:,.0f} equally likely "
            f"cells at first and {last.effective_choices:,.0f} at last."
        )
        if self.accuracy is not None:
            of = self.accuracy[self.accuracy.dataset == (dataset if dataset in DATASETS else DATASETS[0])]
            start, end = of.iloc[0], of.iloc[-1]
            before, after = (f"{of.mean_cell_pct:.1f} % ({place(of.mean_cell_rank, of.mean_cell_below_pct)})" for of in (start, end))
            said += (
                f" The accuracy of the draws on the {self.config.split} images of {start.dataset} spans {start.q0_pct:.1f} to "
                f"{start.q100_pct:.1f} % at first and {end.q0_pct:.1f} to {end.q100_pct:.1f} % at last (middle half: {end.q25_pct:.1f} to "
                f"{end.q75_pct:.1f} %). That of the cell of the mean goes from {before} to {after}; the best cell of all has "
                f"{self.optima[start.dataset]:.2f} %. "
                "The paper's Figure 1 draws the same range and line, and its text states no values."
            )
        return f"**{said}**" + (f" This was a reduced run ({'; '.join(reduced)}), not the paper's." if reduced else "")


def study(path: str, config: ExplorationConfig) -> Exploration:
    """The exploration of a finished run; writes exploration*.csv and .json beside it. Raises RecordError, ExplorationError."""
    report, folder = SearchReport.read(path), RunFolder(path)
    trace = Trace.of(report)
    epochs, drawn = by_epoch(trace, config.samples, config.seed)
    table, missing = benchmark_of(trace.space)
    accuracy = accuracies(epochs, drawn, table, config.split) if table else None
    optima = {name: table.optimum(name, config.split)[1] for name in DATASETS} if table else {}
    unknown = f"The accuracy of the cells is unknown here: {missing}" if missing else ""
    write_csv(folder.file("exploration_epochs.csv"), epochs.to_dict("records"))
    if accuracy is not None:
        write_csv(folder.file("exploration_accuracy.csv"), accuracy.to_dict("records"))
    about = {"samples": config.samples, "seed": config.seed, "split": config.split, "environment": environment()}
    write_json(folder.file("exploration.json"), about)
    return Exploration(config, report, epochs, accuracy, optima, unknown)
