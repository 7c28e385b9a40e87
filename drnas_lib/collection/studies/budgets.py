"""Cells under a budget, picked from the distribution that a search has learnt: beyond the paper, which leaves it to future work.

A cell's cost is any `cost(genotype) -> float`; COSTS has a row for each space and kind of cost.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from drnas_lib.benchmark.table import Benchmark, place
from drnas_lib.collection.studies import darts_costs, exploration
from drnas_lib.collection.studies.config import ConstrainedConfig
from drnas_lib.collection.studies.exploration import Trace
from drnas_lib.collection.views.pareto import hypervolume
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.config.presets import ROBUST_SPACES
from drnas_lib.errors import UserError
from drnas_lib.genotype import Genotype, all_nb201
from drnas_lib.nets.cost import nb201_cost
from drnas_lib.nets.nb201_network import DiscreteNetwork
from drnas_lib.runs.device import choose, describe
from drnas_lib.runs.records import environment, resolve, write_csv, write_json
from drnas_lib.spaces import SPACES

KEPT = 100  # cells of a study that are written down
CostFunction = Callable[[Genotype], float]


class ConstrainedError(UserError, ValueError):
    """The cost asked for is not known for the space, or no cell drawn is within the budget; the message says what is."""


def latency_ms(genotype: Genotype, device: torch.device, batch_size: int, timings: int, resolution: int = 32) -> float:
    """Median time of a forward pass of the whole benchmark network on one batch, in ms, after one that warms up."""
    net = DiscreteNetwork(genotype).to(device).eval()
    x = torch.zeros(batch_size, 3, resolution, resolution, device=device)
    times = []
    with torch.inference_mode():
        for _ in range(timings + 1):
            _wait(device)
            began = time.perf_counter()
            net(x)
            _wait(device)
            times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Cost:
    """`make(config)` gives the cost of a cell, in `unit`; `exact`: cheap and without noise, so every cell of the space can be asked."""

    make: Callable[[ConstrainedConfig], CostFunction]
    unit: str
    exact: bool = True


def _nb201_latency(config: ConstrainedConfig) -> CostFunction:
    device = choose(config.device)
    return lambda cell: latency_ms(cell, device, config.batch_size, config.timings)


# Of the network that the benchmark trained: 16 channels, 15 cells, 32x32 pixels, 10 classes.
COSTS: dict[tuple[str, str], Cost] = {
    ("nb201", "parameters"): Cost(lambda config: lambda cell: nb201_cost(cell).parameters / 1e6, "million parameters"),
    ("nb201", "macs"): Cost(lambda config: lambda cell: nb201_cost(cell).macs / 1e6, "million multiply-adds"),
    ("nb201", "latency_ms"): Cost(_nb201_latency, "ms per batch", exact=False),
}
# Of the two networks that the paper trains: 20 cells of 36 channels on CIFAR-10, 14 cells of 48 on ImageNet.
OF_DARTS_CELLS = {
    "parameters": Cost(lambda config: lambda cell: darts_costs.quick("cifar")(cell).parameters / 1e6, "million parameters"),
    "macs": Cost(lambda config: lambda cell: darts_costs.quick("cifar")(cell).macs / 1e6, "million multiply-adds"),
    "imagenet_macs": Cost(lambda config: lambda cell: darts_costs.quick("imagenet")(cell).macs / 1e6, "million multiply-adds on ImageNet"),
}
COSTS |= {(space, kind): cost for space in ("darts", *ROBUST_SPACES) for kind, cost in OF_DARTS_CELLS.items()}


def cost_of(space: str, kind: str) -> Cost:
    """Raises ConstrainedError where COSTS has no such row."""
    if (space, kind) not in COSTS:
        known = ", ".join(kind for of, kind in COSTS if of == space)
        raise ConstrainedError(f"cost={kind!r} is not known for the space {space!r}. Allowed are {known}.")
    return COSTS[space, kind]


class Learnt:
    """Cells drawn from what a run has learnt in the end."""

    name = "learnt distribution"

    def __init__(self, report: SearchReport):
        trace = Trace.of(report)
        self.space, self.beta, self.kept = trace.space, exploration.concentration(trace.eta[-1]), trace.kept[-1]

    def scores(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """log(theta / (1 - theta)) (S, G, E, O)."""
        return exploration.draw(self.beta, self.kept, count, rng)

    def log_probability(self, scores: np.ndarray) -> np.ndarray:
        """Of the winning operation on every edge, (S,), in nats."""
        logs = exploration.log_chances(self.beta, self.kept)
        return np.take_along_axis(logs[None], scores.argmax(-1)[..., None], -1).sum((1, 2, 3))

    def sample(self, count: int, rng: np.random.Generator) -> list[Genotype]:
        return exploration.cells(self.space, self.scores(count, rng))


class Uniform:
    """Cells drawn with equal chances: of the flat prior, over all operations that the search began with."""

    name = "uniform"

    def __init__(self, report: SearchReport):
        trace = Trace.of(report)
        self.space, self.kept = trace.space, trace.kept[0]

    def sample(self, count: int, rng: np.random.Generator) -> list[Genotype]:
        return exploration.cells(self.space, np.where(self.kept, rng.random((count, *self.space.shape)), -np.inf))


def under_budget(report: SearchReport, cost: CostFunction, budget: float | None, samples: int, seed: int) -> pd.DataFrame:
    """Draw `samples` cells from the distribution of any finished run and keep those that cost no more than `budget`.

    A row for each distinct cell, the most probable first: what the distribution favours within the budget, without asking how good it is.
    Columns genotype (as text), log_probability (of the operations that win on each edge, exact), draws, cost. Raises ConstrainedError
    where none is within.
    """
    source = Learnt(report)
    scores = source.scores(samples, np.random.default_rng(seed))
    drawn = pd.DataFrame({"cell": exploration.cells(source.space, scores), "log_probability": source.log_probability(scores)})
    rows = [
        {"genotype": text, "log_probability": of.log_probability.max(), "draws": len(of), "cost": cost(of.cell.iloc[0])}
        for text, of in drawn.groupby(drawn.cell.map(str), sort=False)
    ]
    table = pd.DataFrame(rows)
    within = table if budget is None else table[table.cost <= budget]
    if within.empty:
        raise ConstrainedError(
            f"budget={budget:g}: none of the {len(table)} distinct cells in {samples} draws costs so little; the cheapest costs "
            f"{table.cost.min():.6g}. Raise the budget or the number of samples."
        )
    return within.sort_values("log_probability", ascending=False, ignore_index=True)


def with_accuracy(table: pd.DataFrame, benchmark: Benchmark, column: str) -> pd.DataFrame:
    """The columns accuracy_pct, rank and below_pct (see benchmark.Standing) beside each genotype, from the benchmark's `column`."""
    dataset, _, split = column.rpartition("_")
    accuracy = benchmark.frame[column].loc[table.genotype].to_numpy()
    rank, below = benchmark.ranks(accuracy, dataset, split)
    return table.assign(accuracy_pct=accuracy, rank=rank, below_pct=below)


def whole_space(cost: CostFunction, benchmark: Benchmark, column: str) -> pd.DataFrame:
    """genotype, cost and accuracy_pct of all 15,625 cells of NAS-Bench-201."""
    return with_accuracy(pd.DataFrame([{"genotype": str(cell), "cost": cost(cell)} for cell in all_nb201()]), benchmark, column)


def reference(space: pd.DataFrame) -> tuple[float, float]:
    """The corner that a front is measured from: the cost of the dearest cell and the accuracy of the median one."""
    return float(space.cost.max()) * (1 + 1e-9), float(space.accuracy_pct.median())


def recovered(report: SearchReport, space: pd.DataFrame, samples: list[int], repeats: int, seed: int) -> pd.DataFrame:
    """The share, in %, of the best possible front's hypervolume that n drawn cells recover, by distribution.

    `space` is `whole_space`. Columns: distribution, samples, repeat, share_pct.
    """
    corner, by_cell = reference(space), space.set_index("genotype")
    best = hypervolume(space.cost.to_numpy(), space.accuracy_pct.to_numpy(), corner)
    rows = []
    for stream, make in enumerate((Learnt, Uniform)):
        source = make(report)
        for count in samples:
            for repeat in range(repeats):
                drawn = source.sample(count, np.random.default_rng([seed, stream, count, repeat]))
                of = by_cell.loc[list({str(cell) for cell in drawn})]
                share = 100 * hypervolume(of.cost.to_numpy(), of.accuracy_pct.to_numpy(), corner) / best
                rows.append({"distribution": source.name, "samples": count, "repeat": repeat, "share_pct": share})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Study:
    """`picked` are cells within the budget, the most probable first; `uniform` as many drawn evenly; `space` every cell and `shares` its
    recovery.

    Where the benchmark does not know the space, or is not here, the first two have no accuracy and `unknown` says why; then, and where
    the cost is measured and cannot be asked of all cells, the last two are None.
    """

    picked: pd.DataFrame
    uniform: pd.DataFrame
    space: pd.DataFrame | None
    shares: pd.DataFrame | None
    unit: str
    circumstances: str
    unknown: str = ""


def study(path: str, config: ConstrainedConfig) -> Study:
    """All of the above for one run, kept beside it as constrained_<cost>_*. Raises RecordError too."""
    report, column = SearchReport.read(path), f"{config.accuracy_on}_{config.split}"
    name = report.record["parameters"]["space"]
    cost, (benchmark, unknown) = cost_of(name, config.cost), exploration.benchmark_of(SPACES[name])
    ask, most = cost.make(config), max(config.samples)
    picked = under_budget(report, ask, config.budget, most, config.seed)
    evenly = {str(cell): cell for cell in Uniform(report).sample(most, np.random.default_rng([config.seed, 1]))}
    if not cost.exact:  # measuring takes time: as many distinct cells as the learnt distribution gave
        evenly = dict(list(evenly.items())[: len(picked)])
    uniform, space, shares = pd.DataFrame([{"genotype": text, "cost": ask(cell)} for text, cell in evenly.items()]), None, None
    if benchmark is not None:
        picked, uniform = (with_accuracy(table, benchmark, column) for table in (picked, uniform))
        space = whole_space(ask, benchmark, column) if cost.exact else None
        shares = recovered(report, space, config.samples, config.repeats, config.seed) if cost.exact else None
    device = describe(choose(config.device))
    said = "counted, not measured" if cost.exact else f"measured on {device}, batch of {config.batch_size}, median of {config.timings}"
    _keep(path, config, picked, shares, said)
    return Study(picked, uniform, space, shares, cost.unit, said, unknown)


def _keep(path: str, config: ConstrainedConfig, picked: pd.DataFrame, shares: pd.DataFrame | None, said: str) -> None:
    stem = resolve(path) / f"constrained_{config.cost}_{config.accuracy_on}"
    write_csv(stem.with_name(f"{stem.name}_cells.csv"), picked.head(KEPT).to_dict("records"))
    if shares is not None:
        write_csv(stem.with_name(f"{stem.name}_shares.csv"), shares.to_dict("records"))
    about = {"parameters": config.model_dump(), "cost": said, "environment": environment()}
    write_json(stem.with_name(f"{stem.name}.json"), about)


def conclusion(study: Study, config: ConstrainedConfig, reduced: list[str]) -> str:
    """What was recovered and which cell comes first, in sentences."""
    said = _judged(study, config) if "accuracy_pct" in study.picked else _counted(study, config)
    return f"**{said}**" + (f" The search was a reduced run ({'; '.join(reduced)})." if reduced else "")


def _counted(study: Study, config: ConstrainedConfig) -> str:
    first, of_all = study.picked.iloc[0], "" if config.budget is None else f" within {config.budget:g} {study.unit}"
    said = (
        f"{max(config.samples):,} draws give {len(study.picked):,} distinct cells{of_all}, of {study.picked.cost.min():.4g} to "
        f"{study.picked.cost.max():.4g} {study.unit}; the most probable one costs {first.cost:.4g}"
    )
    if config.budget is not None:
        said += f". Drawn evenly, {100 * (study.uniform.cost <= config.budget).mean():.1f} % are"
    return f"{said}. How good they are is unknown here: {study.unknown}"


def _standing(cell: pd.Series) -> str:
    return f"{cell.accuracy_pct:.2f} % ({place(cell['rank'], cell.below_pct)})"


def _judged(study: Study, config: ConstrainedConfig) -> str:
    first, best = study.picked.iloc[0], study.picked.loc[study.picked.accuracy_pct.idxmax()]
    limit = "without a budget" if config.budget is None else f"within {config.budget:g} {study.unit}"
    said = (
        f"The most probable cell drawn {limit} reaches {_standing(first)} on {config.accuracy_on} at "
        f"{first.cost:.4g} {study.unit} "
        f"(probability {100 * np.exp(first.log_probability):.3f} %, {100 / 15_625:.4f} % when flat); the best one drawn, known only "
        f"with the benchmark, {_standing(best)} at {best.cost:.4g}."
    )
    if study.shares is not None:
        table = study.shares.groupby(["samples", "distribution"]).share_pct.agg(["mean", "std"])
        parts = [
            f"with {count:,} draws {table.loc[(count, Learnt.name), 'mean']:.1f} ± {table.loc[(count, Learnt.name), 'std']:.1f} % "
            f"(uniform {table.loc[(count, Uniform.name), 'mean']:.1f} ± {table.loc[(count, Uniform.name), 'std']:.1f} %)"
            for count in config.samples
        ]
        said += (
            f" Of the hypervolume of the best possible front, drawing recovers {', '.join(parts)}; "
            f"mean ± deviation of {config.repeats} repeats."
        )
    return said
