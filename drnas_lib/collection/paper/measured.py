"""Our values of a number of the paper, read from finished runs, and the commands that would make more of them.

A source is one kind of answer: a search, a training, a lookup, a count. A run, recognised by the fingerprint of its settings, counts at a
scale where it is a whole run of a published protocol at that scale; any other run of the same search or training, or one on data that stand
in for the paper's, is kept with the reason why it is not comparable.
"""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.collection.paper import commands
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.views import darts_tables
from drnas_lib.config import scales
from drnas_lib.config.cells import USUAL_DECAY
from drnas_lib.config.presets import FAMILIES
from drnas_lib.config.recipes import darts_macro, usual_recipe
from drnas_lib.config.retrain import RetrainConfig, RetrainSettings
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.index import Run, RunIndex

SCALES = (FULL, LAPTOP)
OTHER = "other"  # in place of a scale: a run of another size, with other settings or on other data
AT_SCALE = {FULL: "", LAPTOP: "the laptop scale"}  # why a run at a scale is not comparable with the paper
USUAL = {"search": "protocol", "retrain": "recipe"}  # what a kind of run follows
# Settings that are named where they differ from the protocol's; a record lists sizes and lengths by itself.
COMPARED = ("protocol", "batch_size", "weight_lr", "weight_decay", "arch_lr", "regulariser", "bilevel", "step", "split", "precision")

Reader = Callable[[Run], float | None]  # None where the run does not have the value
Settings = SearchSettings | RetrainSettings
Found = Iterator[tuple[Run, str, str]]  # run, scale and the reason why it is not comparable


@dataclass(frozen=True)
class Measured:
    """One value of one seed: its run, None where it was counted; FULL, LAPTOP or OTHER; why it is not comparable with the paper."""

    value: float
    run: Run | None = None
    seed: int = 0
    scale: str = FULL
    reason: str = ""


@dataclass(frozen=True)
class Source:
    """A source that finds nothing, base of the others. `note` is what a reader of the report has to know."""

    note: str = field(default="", kw_only=True)

    def values(self, results: RunIndex) -> list[Measured]:
        return []

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        """In order; the last one makes the number. Empty where nothing can make it."""
        return ()


@dataclass(frozen=True)
class FromRuns(Source, ABC):
    """Base class of the sources that read each of their values from a run."""

    read: Reader

    @abstractmethod
    def runs(self, results: RunIndex) -> Found:
        """The runs that are this search or training, at a scale or reduced."""

    def values(self, results: RunIndex) -> list[Measured]:
        found = ((self.read(run), run, scale, reason) for run, scale, reason in self.runs(results))
        return [Measured(value, run, run.seed, scale, reason) for value, run, scale, reason in found if value is not None]


@lru_cache(maxsize=4096)
def _search_settings(given: str, seed: int, scale: str) -> SearchSettings:
    return SearchConfig.of(json.loads(given) | {"seed": seed, "scale": scale}).settings()


@lru_cache(maxsize=4096)
def _training_settings(**given: str | int) -> RetrainSettings:
    return RetrainConfig.of(given).settings()


def _reduced(settings: Settings) -> tuple[str, ...]:
    return (*settings.reduced, *(settings.changed if isinstance(settings, RetrainSettings) else ()))


def _scale_where(run: Run, allowed: tuple[str, ...], settings: Callable[[int, str], Settings]) -> str | None:
    """The scale at which a run has the settings of that scale, on all of its images; None where it has at none."""
    for scale in SCALES:
        if scale in allowed:
            wanted = settings(run.seed, scale)
            if run.parameters.get("fingerprint") == wanted.fingerprint and run.reduced == _reduced(wanted):
                return scale
    return None


def _kind_of_search(parameters: dict[str, Any]) -> tuple:
    """What identifies a search whatever its length: space, method, partial channels or stages, lambda, KL, R-DARTS' regularisation."""
    stages, nb201 = parameters["stages"], parameters["space"] == "nb201"
    ks = tuple(stage["k"] for stage in stages) if nb201 else len(stages)
    robust = () if nb201 else (bool(parameters.get("drop_path")), parameters["weight_decay"] > USUAL_DECAY)
    return parameters["space"], parameters["method"], ks, parameters["lam"], parameters.get("regulariser") == "kl", robust


def _comparable(dataset: str, wanted: str) -> bool:
    """Whether a run on `dataset` may stand, as reduced, where the paper has `wanted`: the same data or embedded ones."""
    return dataset == wanted or FAMILIES.get(dataset) == "own"


def _difference(run: Run, dataset: str, *changes: str) -> str:
    """In what a run differs from the full one on `dataset`."""
    stand_in = [] if run.dataset == dataset else [f"{run.dataset} instead of {dataset}"]
    return "; ".join([*stand_in, *run.reduced, *changes]) or f"settings that are not the {USUAL[run.kind]}'s"


@dataclass(frozen=True)
class Searches(FromRuns):
    """A value of searches with the parameters `given`, a JSON text so that their settings can be cached."""

    given: str

    @classmethod
    def of(cls, read: Reader, **given: Any) -> "Searches":
        return cls(read, json.dumps(given, sort_keys=True))

    def settings(self, seed: int = 0, scale: str = FULL) -> SearchSettings:
        return _search_settings(self.given, seed, scale)

    def scale_of(self, run: Run) -> str | None:
        """The scale at which a run is one of these searches, on all of its images; None where it is not."""
        usual = self.settings()
        return _scale_where(run, scales.for_search(usual.space, usual.dataset), self.settings)

    def difference(self, run: Run) -> str:
        """In what a run of this kind of search differs from the full search."""
        settings = self.settings().as_dict()
        names = COMPARED if run.dataset == settings["dataset"] else ()
        other = [name for name in names if run.parameters.get(name, settings[name]) != settings[name]]
        return _difference(run, settings["dataset"], *(f"{name} {run.parameters[name]} instead of {settings[name]}" for name in other))

    def runs(self, results: RunIndex) -> Found:
        settings = self.settings().as_dict()
        kind = _kind_of_search(settings)
        for run in results.searches:
            if scale := self.scale_of(run):
                yield run, scale, AT_SCALE[scale]
            elif _comparable(run.dataset, settings["dataset"]) and _kind_of_search(run.parameters) == kind:
                yield run, OTHER, self.difference(run)

    def full_seeds(self, results: RunIndex) -> list[int]:
        """The seeds that are finished at full length."""
        return [run.seed for run in results.searches if self.scale_of(run) == FULL]

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        command = commands.search_commands().get(self.settings().stem)
        return (command,) if command else ()


@dataclass(frozen=True)
class Explorations(Searches):
    """A value of the draws from a search's distribution, which notebooks/exploration.ipynb makes afterwards."""

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        before = () if self.full_seeds(results) else super().commands(results)
        return (*before, commands.exploration(self.settings()))


@dataclass(frozen=True)
class Trainings(FromRuns):
    """A value of a published cell's trainings by its usual recipe."""

    cell: str
    dataset: str
    protocol: str

    def settings(self, seed: int, scale: str) -> RetrainSettings:
        return _training_settings(genotype=self.cell, dataset=self.dataset, protocol=self.protocol, seed=seed, scale=scale)

    def runs(self, results: RunIndex) -> Found:
        allowed = scales.for_training(darts_macro(self.dataset), self.dataset)
        for run in results.trainings:
            if scale := _scale_where(run, allowed, self.settings):
                yield run, scale, AT_SCALE[scale]
            elif run.parameters.get("cell") == self.cell and _comparable(run.dataset, self.dataset):
                yield run, OTHER, _difference(run, self.dataset)

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.training(self.cell, self.dataset),)


@dataclass(frozen=True)
class FoundCellTrainings(FromRuns):
    """A value of trainings of the cells that our searches found; at a scale only where both search and training are."""

    search: Searches

    def _is_at(self, scale: str, run: Run) -> bool:
        """Whether a training is the usual one at the scale of its search."""
        search = self.search.settings()
        macro = darts_macro(search.dataset)
        usual = {"dataset": search.dataset, "recipe": usual_recipe(macro, search.space)}
        of_run = {"dataset": run.dataset, "recipe": run.parameters.get("recipe_name")}
        if of_run != usual or scale not in scales.for_training(macro, search.dataset):
            return False
        return run.reduced == _reduced(_training_settings(genotype="DrNAS_cifar10", scale=scale, **usual))  # the same of all cells

    def runs(self, results: RunIndex) -> Found:
        dataset = self.search.settings().dataset
        searched = {f"{run.name}-seed{run.seed}": (run, scale, reason) for run, scale, reason in self.search.runs(results)}
        for run in results.trainings:
            if run.parameters["cell"] not in searched or not _comparable(run.dataset, dataset):
                continue
            search, scale, _ = searched[run.parameters["cell"]]
            if self._is_at(scale, run):
                yield run, scale, AT_SCALE[scale]
            else:
                of_search = [] if scale == FULL else [f"cell of a reduced search ({self.search.difference(search)})"]
                yield run, OTHER, "; ".join([*of_search, _difference(run, dataset)])

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        seeds = self.search.full_seeds(results)
        before = () if seeds else self.search.commands(results)
        return (*before, commands.training_of_found(self.search.settings(), min(seeds, default=0)))


@dataclass(frozen=True)
class RatioOfSearches(Source):
    """A value of one kind of search over the mean of the same value of another kind, at the same scale or equally reduced."""

    search: Searches
    other: Searches

    def values(self, results: RunIndex) -> list[Measured]:
        others: dict[str, list[float]] = defaultdict(list)
        for measured in self.other.values(results):
            others[measured.reason].append(measured.value)
        return [replace(m, value=m.value / fmean(others[m.reason])) for m in self.search.values(results) if m.reason in others]

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        measured = any(m.scale == FULL for m in self.search.values(results))
        return (self.other if measured else self.search).commands(results)


@dataclass(frozen=True)
class TableSearch(Source):
    """Random search or REINFORCE on the benchmark's table. Any number of seeds counts as the whole search."""

    dataset: str
    method: str
    split: str

    def values(self, results: RunIndex) -> list[Measured]:
        usual = TableSearchSettings.of(self.dataset, self.method)
        wanted = {name: getattr(usual, name) for name in ("dataset", "method", "budget_s", "seconds_per_query", "policy_lr")}
        runs = [run for run in results.lookups if all(run.parameters.get(name) == value for name, value in wanted.items())]
        largest = max(runs, key=lambda run: run.parameters.get("seeds", 0), default=None)
        if largest is None or "seeds" not in largest.beside:
            return []
        column = largest.beside["seeds"].get(f"{self.dataset}_{self.split}_acc_pct", [])
        return [Measured(float(value), largest, seed) for seed, value in enumerate(column)]

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.lookup(),)


@dataclass(frozen=True)
class TableOptimum(Source):
    """The best of all cells in the benchmark's table, which every run that looked a cell up has recorded."""

    dataset: str
    split: str

    def values(self, results: RunIndex) -> list[Measured]:
        key = f"optimum_{self.dataset}_{self.split}_acc_pct"
        recorded = (run.record["metrics"] | run.record.get("evaluation", {}) for run in (*results.lookups, *results.searches))
        return [Measured(record[key]) for record in recorded if key in record][:1]

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.lookup(),)


@dataclass(frozen=True)
class CountedSize(Source):
    """The size of a published cell's network, counted on the network (studies/darts_costs.py); nothing is run."""

    cell: str
    network: str

    def values(self, results: RunIndex) -> list[Measured]:
        (row,) = darts_tables.costs().query("cell == @self.cell and network == @self.network").to_dict("records")
        return [Measured(row["parameters"] / 1e6)]
