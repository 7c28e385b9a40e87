"""Where the statements of the figures would come from: eigenvalues and draws that studies left beside searches, and the cells found."""

from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from drnas_lib.benchmark.table import DATASETS
from drnas_lib.collection.paper import commands
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.sources import Read, Searched, Source
from drnas_lib.config.scales import FULL
from drnas_lib.genotype import Genotype
from drnas_lib.runs.index import Measured, Run, RunIndex


def range_ratio(run: Run) -> float | None:
    """Range of the draws' accuracy after the last epoch over that after the first, on the data set searched, or CIFAR-10."""
    of = _draws(run)
    if of is None:
        return None
    ranges = of.q100_pct - of.q0_pct
    return float(ranges.iloc[-1] / ranges.iloc[0])


def mean_against_best(run: Run) -> float | None:
    """Accuracy of the Dirichlet mean's cell minus that of the best drawn cell, after the last epoch, in points."""
    of = _draws(run)
    return None if of is None else float(of.mean_cell_pct.iloc[-1] - of.q100_pct.iloc[-1])


def _draws(run: Run) -> pd.DataFrame | None:
    """Epoch by epoch, on the data set searched, or CIFAR-10 where the benchmark does not know that one."""
    draws = run.beside.get("exploration")
    if draws is None:
        return None
    return draws[draws.dataset == (run.dataset if run.dataset in DATASETS else DATASETS[0])].sort_values("epoch")


def growth(run: Run) -> float | None:
    """Dominant eigenvalue at the last look over that at the first."""
    rows = run.beside.get("eigenvalues")
    return None if rows is None else float(rows.dominant.iloc[-1] / rows.dominant.iloc[0])


def at_the_end(run: Run) -> float | None:
    """Dominant eigenvalue of the loss at the last look, without what the measure adds."""
    rows = run.beside.get("eigenvalues")
    return None if rows is None else float(rows.dominant.iloc[-1] - rows.ridge.iloc[-1])


def other_edges(published: Genotype) -> Read:
    """In how many edges a found cell is another than the published one."""
    wanted = _edges(str(published))
    return lambda run: float(len(wanted - _edges(run.record["genotype"])))


def _edges(text: str) -> set[tuple[str, int, str]]:
    """(kind of cell, node, operation and input) of each edge in a DARTS cell's text."""
    cells = [part.split(": ") for part in text.split("; ")]
    return {(kind, node, edge) for kind, nodes in cells for node, edges in enumerate(nodes.split(" | ")) for edge in edges.split()}


@dataclass(frozen=True)
class Explored(Searched):
    """A value of the draws from a search's distribution, which notebooks/exploration.ipynb makes afterwards."""

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        there = any(self.same(run) for run in results.searches)
        return (*(() if there else super().lines(results)), commands.exploration(self.settings()))


@dataclass(frozen=True)
class Beside(Source):
    """A value of one kind of search over the mean of the same value of another kind, made alike."""

    search: Searched
    other: Searched

    def at(self, scale: str, results: RunIndex) -> list[Measured]:
        return _over(self.search.at(scale, results), self.other.at(scale, results))

    def full(self, results: RunIndex) -> list[Measured]:
        return self.at(FULL, results)

    def reduced(self, results: RunIndex) -> list[Measured]:
        return _over(self.search.reduced(results), self.other.reduced(results))

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        return (self.other if self.search.full(results) else self.search).lines(results)  # in either order


def _over(ours: list[Measured], others: list[Measured]) -> list[Measured]:
    """Only where the reasons why a run is reduced are the same on both sides, so that like is compared with like."""
    by_reason: dict[str, list[float]] = {}
    for measured in others:
        by_reason.setdefault(measured.less, []).append(measured.value)
    pairs = [(measured, by_reason[measured.less]) for measured in ours if measured.less in by_reason]
    return [Measured(m.value / fmean(other), m.run, m.seed, m.less) for m, other in pairs]
