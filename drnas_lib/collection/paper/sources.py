"""The kinds of answers to a number of the paper: a search, a training, a lookup, a count.

A source finds its values among the finished runs and names the commands that make more. A run is recognised by the fingerprint of its
settings. It counts at a scale where it is a whole run of a published protocol at that scale; any other run of the same search or training,
or one on data that stand in for the paper's, is kept with the reason why it is not comparable.
"""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean
from typing import Any

from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.collection.paper import commands
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.readers import Reader, kind_of_search
from drnas_lib.collection.views import darts_tables
from drnas_lib.config import scales
from drnas_lib.config.presets import FAMILIES
from drnas_lib.config.recipes import darts_macro, usual_recipe
from drnas_lib.config.retrain import RetrainConfig, RetrainSettings
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.index import Run, RunIndex

SCALES = (FULL, LAPTOP)
OTHER = "other"  # in place of a scale: a run of another size, with other settings or on other data
AT_SCALE = {FULL: "", LAPTOP: "the laptop scale"}  # why a run at a scale is not comparable with the paper
ANY_CELL = "DrNAS_cifar10"  # the size of a training in the DARTS space does not depend on the cell
# Settings that are named where they differ from the protocol's; a record lists sizes and lengths by itself.
COMPARED = ("protocol", "batch_size", "weight_lr", "weight_decay", "arch_lr", "regulariser", "bilevel", "step", "split", "precision")


@dataclass(frozen=True)
class Measured:
    """One value of one seed: its run, None where it was counted; FULL, LAPTOP or OTHER; why it is not comparable with the paper."""

    value: float
    run: Run | None = None
    seed: int = 0
    scale: str = FULL
    reason: str = ""


class Source:
    """Base class of the sources, which finds nothing. `note` is what a reader of the report has to know."""

    note = ""

    def values(self, results: RunIndex) -> list[Measured]:
        return []

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        """In order; the last one makes the number. Empty where nothing can make it."""
        return ()


@dataclass(frozen=True)
class Unavailable(Source):
    """The source of a number that nothing can make here."""

    note: str


@dataclass(frozen=True)
class FromRuns(Source, ABC):
    """Base class of the sources that read each of their values from a run."""

    read: Reader

    @abstractmethod
    def runs(self, results: RunIndex) -> Iterator[tuple[Run, str, str]]:
        """Run, scale and the reason why it is not comparable."""

    def values(self, results: RunIndex) -> list[Measured]:
        found = ((self.read(run), run, scale, reason) for run, scale, reason in self.runs(results))
        return [Measured(value, run, run.seed, scale, reason) for value, run, scale, reason in found if value is not None]


@lru_cache(maxsize=4096)
def _search_settings(given: str, seed: int, scale: str) -> SearchSettings:
    return SearchConfig.of(json.loads(given) | {"seed": seed, "scale": scale}).settings()


@lru_cache(maxsize=4096)
def _training_settings(**given: str | int) -> RetrainSettings:
    return RetrainConfig.of(given).settings()


def comparable_data(dataset: str, wanted: str) -> bool:
    """Whether a run on `dataset` may stand, as reduced, where the paper has `wanted`: the same data or embedded ones."""
    return dataset == wanted or FAMILIES.get(dataset) == "own"


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
        for scale in SCALES:
            if scale in scales.for_search(usual.space, usual.dataset):
                settings = self.settings(run.seed, scale)
                if run.parameters.get("fingerprint") == settings.fingerprint and run.reduced == settings.reduced:
                    return scale
        return None

    def related(self, run: Run) -> bool:
        """Whether a run is this kind of search, of any size, on the same data or on data that stand in."""
        settings = self.settings().as_dict()
        return comparable_data(run.dataset, settings["dataset"]) and kind_of_search(run.parameters) == kind_of_search(settings)

    def difference(self, run: Run) -> str:
        """In what a related run differs from the full search."""
        settings = self.settings().as_dict()
        if run.dataset != settings["dataset"]:
            return "; ".join([f"{run.dataset} instead of {settings['dataset']}", *run.reduced])
        other = [name for name in COMPARED if run.parameters.get(name, settings[name]) != settings[name]]
        changes = [f"{name} {run.parameters[name]} instead of {settings[name]}" for name in other]
        return "; ".join([*run.reduced, *changes]) or "settings that are not the protocol's"

    def runs(self, results: RunIndex) -> Iterator[tuple[Run, str, str]]:
        for run in results.searches:
            if scale := self.scale_of(run):
                yield run, scale, AT_SCALE[scale]
            elif self.related(run):
                yield run, OTHER, self.difference(run)

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        command = commands.search_commands().get(self.settings().stem)
        return (command,) if command else ()


@dataclass(frozen=True)
class Explorations(Searches):
    """A value of the draws from a search's distribution, which notebooks/exploration.ipynb makes afterwards."""

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        searched = any(self.scale_of(run) == FULL for run in results.searches)
        return (*(() if searched else super().commands(results)), commands.exploration(self.settings()))


@dataclass(frozen=True)
class Trainings(FromRuns):
    """A value of a published cell's trainings by its usual recipe."""

    cell: str
    dataset: str
    protocol: str

    def _scale_of(self, run: Run) -> str | None:
        for scale in SCALES:
            if scale in scales.for_training(darts_macro(self.dataset), self.dataset):
                of_run = {"genotype": self.cell, "dataset": self.dataset, "protocol": self.protocol, "seed": run.seed, "scale": scale}
                settings = _training_settings(**of_run)
                if run.parameters.get("fingerprint") == settings.fingerprint and run.reduced == (*settings.reduced, *settings.changed):
                    return scale
        return None

    def runs(self, results: RunIndex) -> Iterator[tuple[Run, str, str]]:
        for run in results.trainings:
            if scale := self._scale_of(run):
                yield run, scale, AT_SCALE[scale]
            elif run.parameters.get("cell") == self.cell and comparable_data(run.dataset, self.dataset):
                yield run, OTHER, _training_difference(run, self.dataset)

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.training(self.cell, self.dataset),)


def _training_difference(run: Run, dataset: str) -> str:
    stand_in = [] if run.dataset == dataset else [f"{run.dataset} instead of {dataset}"]
    return "; ".join([*stand_in, *run.reduced]) or "settings that are not the recipe's"


@dataclass(frozen=True)
class FoundCellTrainings(FromRuns):
    """A value of trainings of the cells that our searches found; at a scale only where both search and training are."""

    search: Searches
    note: str = ""

    def _scale_of(self, run: Run, searched_at: str | None) -> str | None:
        search = self.search.settings()
        macro = darts_macro(search.dataset)
        recipe = usual_recipe(macro, search.space)
        trained_so = run.dataset == search.dataset and run.parameters.get("recipe_name") == recipe
        if not trained_so or searched_at not in scales.for_training(macro, search.dataset):
            return None
        usual = _training_settings(genotype=ANY_CELL, dataset=search.dataset, recipe=recipe, scale=searched_at)
        return searched_at if run.reduced == (*usual.reduced, *usual.changed) else None

    def runs(self, results: RunIndex) -> Iterator[tuple[Run, str, str]]:
        dataset = self.search.settings().dataset
        searched = {f"{run.name}-seed{run.seed}": run for run, _, _ in self.search.runs(results)}
        for run in results.trainings:
            search = searched.get(run.parameters["cell"])
            if search is None or not comparable_data(run.dataset, dataset):
                continue
            searched_at = self.search.scale_of(search)
            if scale := self._scale_of(run, searched_at):
                yield run, scale, AT_SCALE[scale]
            else:
                of_search = [] if searched_at == FULL else [f"cell of a reduced search ({self.search.difference(search)})"]
                yield run, OTHER, "; ".join([*of_search, _training_difference(run, dataset)])

    def commands(self, results: RunIndex) -> tuple[Command, ...]:
        seeds = [run.seed for run in results.searches if self.search.scale_of(run) == FULL]
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
        searched = any(measured.scale == FULL for measured in self.search.values(results))
        return (self.other if searched else self.search).commands(results)


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
    note = "the best of all 15,625 cells, looked up"

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
