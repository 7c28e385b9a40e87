"""Cells under a budget, drawn from the distribution that a search has learnt: beyond the paper, which leaves it to future work."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch

from drnas_lib.benchmark.table import Benchmark, place
from drnas_lib.collection.speed.meters import seconds
from drnas_lib.collection.studies import exploration
from drnas_lib.collection.studies.config import ConstrainedConfig
from drnas_lib.collection.studies.darts_costs import quick_cost
from drnas_lib.collection.studies.exploration import Trace
from drnas_lib.collection.views.pareto import hypervolume
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.errors import UserError
from drnas_lib.genotype import Nb201Genotype, all_nb201
from drnas_lib.nets.cost import nb201_cost
from drnas_lib.nets.nb201_network import Nb201Network
from drnas_lib.runs.device import choose, describe
from drnas_lib.runs.files import environment, resolve, write_csv, write_json

KEPT = 100  # cells in the file of a study


class ConstrainedError(UserError, ValueError):
    """The cost is not known for the space, or no drawn cell is within the budget."""


@dataclass(frozen=True)
class Cost:
    """`of(cell, config)` in `unit`; `exact`: cheap and without noise, so it is computed for every cell of the space."""

    of: Callable[[Any, ConstrainedConfig], float]
    unit: str
    exact: bool = True


def latency_ms(genotype: Nb201Genotype, config: ConstrainedConfig) -> float:
    """Median time of a forward pass of the whole benchmark network on one batch, in ms, after one that warms up."""
    device = choose(config.device)
    net = Nb201Network(genotype).to(device).eval()
    x = torch.zeros(config.batch_size, 3, 32, 32, device=device)
    with torch.inference_mode():
        times = [seconds(partial(net, x), device) for _ in range(1 + config.timings)]
    return 1e3 * statistics.median(times[1:])


# Of the network that the benchmark trained: 16 channels, 15 cells, 32x32 pixels, 10 classes.
OF_NB201_CELLS = {
    "parameters": Cost(lambda cell, _: nb201_cost(cell).parameters / 1e6, "million parameters"),
    "macs": Cost(lambda cell, _: nb201_cost(cell).macs / 1e6, "million multiply-adds"),
    "latency_ms": Cost(latency_ms, "ms per batch", exact=False),
}
# Of the two networks that the paper trains: 20 cells of 36 channels on CIFAR-10, 14 cells of 48 on ImageNet.
OF_DARTS_CELLS = {
    "parameters": Cost(lambda cell, _: quick_cost(cell, "cifar").parameters / 1e6, "million parameters"),
    "macs": Cost(lambda cell, _: quick_cost(cell, "cifar").macs / 1e6, "million multiply-adds"),
    "imagenet_macs": Cost(lambda cell, _: quick_cost(cell, "imagenet").macs / 1e6, "million multiply-adds on ImageNet"),
}


def cost_of(space: str, kind: str) -> Cost:
    """The cost `kind` of the cells of a space. Raises ConstrainedError where it is not known."""
    known = OF_NB201_CELLS if space == "nb201" else OF_DARTS_CELLS
    if kind not in known:
        raise ConstrainedError(f"cost={kind!r} is not known for the space {space!r}. Allowed are {', '.join(known)}.")
    return known[kind]


def learnt_scores(trace: Trace, samples: int, rng: np.random.Generator) -> np.ndarray:
    """log(theta / (1 - theta)) (S, G, E, O) of draws from the distribution after the last epoch."""
    return exploration.draw(exploration.concentration(trace.eta[-1]), trace.kept[-1], samples, rng)


def uniform_scores(trace: Trace, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Scores (S, G, E, O) whose largest is equally likely to be any operation that the search began with."""
    return np.where(trace.kept[0], rng.random((samples, *trace.space.shape)), -np.inf)


LEARNT, UNIFORM = "learnt distribution", "uniform"
DISTRIBUTIONS = {LEARNT: learnt_scores, UNIFORM: uniform_scores}


def under_budget(trace: Trace, cost: Callable[[Any], float], budget: float | None, samples: int, seed: int) -> pd.DataFrame:
    """Draw `samples` cells from the learnt distribution and keep those that cost no more than `budget`.

    A row for each distinct cell, the most probable first. Columns genotype (as text), log_probability (of the operations that win on
    each edge, in nats, exact), draws, cost. Raises ConstrainedError where no cell is within the budget.
    """
    scores = learnt_scores(trace, samples, np.random.default_rng(seed))
    chances = exploration.log_chances(exploration.concentration(trace.eta[-1]), trace.kept[-1])
    winning = np.take_along_axis(chances[None], scores.argmax(-1)[..., None], -1).sum((1, 2, 3))
    drawn = pd.DataFrame({"cell": exploration.cells(trace.space, scores), "log_probability": winning})
    by_cell = drawn.groupby(drawn.cell.map(str).rename("genotype"), sort=False)
    table = by_cell.agg(log_probability=("log_probability", "max"), draws=("cell", "size"), cell=("cell", "first")).reset_index()
    table["cost"] = table.pop("cell").map(cost)
    within = table if budget is None else table[table.cost <= budget]
    if within.empty:
        raise ConstrainedError(
            f"budget={budget:g}: none of the {len(table)} distinct cells in {samples} draws costs so little; the cheapest costs "
            f"{table.cost.min():.6g}. Raise the budget or the number of samples."
        )
    return within.sort_values("log_probability", ascending=False, ignore_index=True)


def with_accuracy(table: pd.DataFrame, benchmark: Benchmark, column: str) -> pd.DataFrame:
    """Add the columns accuracy_pct, rank and below_pct (see benchmark.Standing) of each genotype, from the benchmark's `column`."""
    dataset, _, split = column.rpartition("_")
    accuracy = benchmark.frame[column].loc[table.genotype].to_numpy()
    rank, below = benchmark.ranks(accuracy, dataset, split)
    return table.assign(accuracy_pct=accuracy, rank=rank, below_pct=below)


def whole_space(cost: Callable[[Nb201Genotype], float], benchmark: Benchmark, column: str) -> pd.DataFrame:
    """genotype, cost, accuracy_pct, rank and below_pct of all 15,625 cells of NAS-Bench-201."""
    return with_accuracy(pd.DataFrame([{"genotype": str(cell), "cost": cost(cell)} for cell in all_nb201()]), benchmark, column)


def reference(space: pd.DataFrame) -> tuple[float, float]:
    """The corner that a front is measured from: the cost of the dearest cell and the accuracy of the median one."""
    return float(space.cost.max()) * (1 + 1e-9), float(space.accuracy_pct.median())


def recovered(trace: Trace, space: pd.DataFrame, config: ConstrainedConfig) -> pd.DataFrame:
    """How much of the best possible front's hypervolume drawn cells recover. Columns: distribution, samples, repeat, share_pct."""
    corner, by_cell = reference(space), space.set_index("genotype")
    best = hypervolume(space.cost.to_numpy(), space.accuracy_pct.to_numpy(), corner)
    rows = []
    for (stream, (name, scores)), count, repeat in product(enumerate(DISTRIBUTIONS.items()), config.samples, range(config.repeats)):
        drawn = exploration.cells(trace.space, scores(trace, count, np.random.default_rng([config.seed, stream, count, repeat])))
        of = by_cell.loc[list({str(cell) for cell in drawn})]
        share = 100 * hypervolume(of.cost.to_numpy(), of.accuracy_pct.to_numpy(), corner) / best
        rows.append({"distribution": name, "samples": count, "repeat": repeat, "share_pct": share})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Study:
    """`picked` are cells within the budget, the most probable first, and `uniform` others drawn evenly.

    `space` has every cell and `shares` what draws recover of its front; None where the cost is measured, which takes too long for all.
    Where the benchmark does not have the accuracies, all are without them, and `unknown` says why.
    """

    config: ConstrainedConfig
    picked: pd.DataFrame
    uniform: pd.DataFrame
    space: pd.DataFrame | None
    shares: pd.DataFrame | None
    unit: str
    circumstances: str
    unknown: str
    reduced: list[str]

    def conclusion(self) -> str:
        """Which cell comes first and how much draws recover, in sentences."""
        said = self._with_accuracies() if "accuracy_pct" in self.picked else self._costs_alone()
        return f"**{said}**" + (f" The search was a reduced run ({'; '.join(self.reduced)})." if self.reduced else "")

    def _costs_alone(self) -> str:
        picked, budget, limit, ending = self.picked.cost, self.config.budget, "", ""
        if budget is not None:
            limit = f" within {budget:g} {self.unit}"
            ending = f". Drawn evenly, {100 * (self.uniform.cost <= budget).mean():.1f} % are"
        return (
            f"{max(self.config.samples):,} draws give {len(picked):,} distinct cells{limit}, of {picked.min():.4g} to {picked.max():.4g} "
            f"{self.unit}; the most probable one costs {picked.iloc[0]:.4g}{ending}. How good they are is unknown here: {self.unknown}"
        )

    def _with_accuracies(self) -> str:
        config, first, best = self.config, self.picked.iloc[0], self.picked.loc[self.picked.accuracy_pct.idxmax()]
        of_first, of_best = (f"{cell.accuracy_pct:.2f} % ({place(cell['rank'], cell.below_pct)})" for cell in (first, best))
        limit = "without a budget" if config.budget is None else f"within {config.budget:g} {self.unit}"
        said = (
            f"The most probable cell drawn {limit} has {of_first} on the {config.split} images of {config.accuracy_on} at "
            f"{first.cost:.4g} {self.unit}; its probability is {100 * np.exp(first.log_probability):.3f} %, and would be "
            f"{100 / 15_625:.4f} % if all cells were equally likely. The best cell drawn, which only the benchmark shows, has {of_best} at "
            f"{best.cost:.4g} {self.unit}."
        )
        if self.shares is None:
            return said
        by_draws = self.shares.groupby(["samples", "distribution"]).share_pct.agg(["mean", "std"])
        spread = {key: f"{mean:.1f} ± {std:.1f} %" for key, mean, std in by_draws.itertuples()}
        parts = [f"{spread[count, LEARNT]} with {count:,} draws (uniform draws: {spread[count, UNIFORM]})" for count in config.samples]
        return (
            f"{said} Of the hypervolume of the best possible front, the learnt distribution recovers {', '.join(parts)}; mean ± standard "
            f"deviation of {config.repeats} repeats."
        )


def study(path: str, config: ConstrainedConfig) -> Study:
    """Draw cells of a finished run; writes constrained_*. Raises RecordError, ExplorationError, ConstrainedError."""
    report, column = SearchReport.read(path), f"{config.accuracy_on}_{config.split}"
    cost = cost_of(report.record["parameters"]["space"], config.cost)
    cost_of_cell = lambda cell: cost.of(cell, config)
    trace, samples = Trace.of(report), max(config.samples)
    benchmark, unknown = exploration.benchmark_of(trace.space)
    picked = under_budget(trace, cost_of_cell, config.budget, samples, config.seed)
    drawn = exploration.cells(trace.space, uniform_scores(trace, samples, np.random.default_rng([config.seed, 1])))
    evenly = list({str(cell): cell for cell in drawn}.items())
    if not cost.exact:  # measuring takes time: as many distinct cells as the learnt distribution gave
        evenly = evenly[: len(picked)]
    uniform, space, shares = pd.DataFrame([{"genotype": text, "cost": cost_of_cell(cell)} for text, cell in evenly]), None, None
    if benchmark is not None:
        picked, uniform = (with_accuracy(table, benchmark, column) for table in (picked, uniform))
        if cost.exact:
            space = whole_space(cost_of_cell, benchmark, column)
            shares = recovered(trace, space, config)
    device = describe(choose(config.device))
    how = "counted, not measured" if cost.exact else f"measured on {device}, batch of {config.batch_size}, median of {config.timings}"
    stem = f"constrained_{config.cost}_{config.accuracy_on}"
    write_csv(resolve(path) / f"{stem}_cells.csv", picked.head(KEPT).to_dict("records"))
    if shares is not None:
        write_csv(resolve(path) / f"{stem}_shares.csv", shares.to_dict("records"))
    write_json(resolve(path) / f"{stem}.json", {"parameters": config.model_dump(), "cost": how, "environment": environment()})
    return Study(config, picked, uniform, space, shares, cost.unit, how, unknown, report.record["reduced"])
