"""Where a number of the paper would come from here: a search, a training, a lookup or a count. Each finds its values among finished runs.

`at` are the values of runs at a scale of a published protocol, known by the fingerprint of their settings, `full` those at its full length;
`reduced` those of runs that are the same search or training but neither, or on data that stand in for the paper's; `lines` what would
make a full one.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drnas_lib.benchmark.policies import TableSearchConfig
from drnas_lib.collection.paper import commands
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.views import darts_tables
from drnas_lib.config import scales
from drnas_lib.config.cells import USUAL_DECAY
from drnas_lib.config.presets import FAMILIES, ROBUST_SPACES, STREAMED
from drnas_lib.config.retrain import RetrainConfig, RetrainSettings
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.index import Measured, Run, RunIndex

ANY_CELL = "DrNAS_cifar10"  # of the DARTS space: the size of a training does not depend on which
Read = Callable[[Run], float | None]
# What else is named where a run is no full one; sizes and lengths are in its own list.
COMPARED = ("protocol", "batch_size", "weight_lr", "weight_decay", "arch_lr", "regulariser", "bilevel", "step", "split", "precision")


class Source:
    """Nothing by itself: see the classes below. `why` says what stands in the way, where something does."""

    why = ""

    def at(self, scale: str, results: RunIndex) -> list[Measured]:
        """The values of runs at a scale of the protocol, nothing beside it changed."""
        return self.full(results) if scale == FULL else []

    def full(self, results: RunIndex) -> list[Measured]:
        return []

    def reduced(self, results: RunIndex) -> list[Measured]:
        """Those of all other runs of the kind."""
        return []

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        """In order; the last one makes the number. None where nothing can."""
        return ()


@dataclass(frozen=True)
class Nothing(Source):
    """Nothing makes this number here."""

    why: str


@lru_cache(maxsize=4096)
def _settings(given: str, seed: int, scale: str) -> SearchSettings:
    return SearchConfig.of(json.loads(given) | {"seed": seed, "scale": scale}).settings()


@lru_cache(maxsize=4096)
def _training(cell: str, dataset: str, protocol: str, recipe: str | None, seed: int, scale: str) -> RetrainSettings:
    given = {"genotype": cell, "dataset": dataset, "protocol": protocol, "recipe": recipe, "seed": seed, "scale": scale}
    return RetrainConfig.of(given).settings()


def same_family(parameters: dict[str, Any]) -> tuple:
    """What makes a search the one it is, however long: space, method, partial channels or stages, lambda, KL, R-DARTS' regularisation."""
    stages, nb201 = parameters["stages"], parameters["space"] == "nb201"
    ks = tuple(stage["k"] for stage in stages) if nb201 else len(stages)
    robust = () if nb201 else (bool(parameters.get("drop_path")), parameters["weight_decay"] > USUAL_DECAY)
    return parameters["space"], parameters["method"], ks, parameters["lam"], parameters.get("regulariser") == "kl", robust


def is_reduced_version_of(dataset: str, wanted: str) -> bool:
    """Whether a run on `dataset` is shown, as reduced, where the paper has `wanted`."""
    return dataset == wanted or FAMILIES.get(dataset) == "own"


@dataclass(frozen=True)
class Searched(Source):
    """A value read from the records of searches with the parameters `given`, a JSON text."""

    given: str
    read: Read

    @classmethod
    def of(cls, read: Read, **given: Any) -> "Searched":
        return cls(json.dumps(given, sort_keys=True), read)

    def settings(self, seed: int = 0, scale: str = FULL) -> SearchSettings:
        return _settings(self.given, seed, scale)

    def same(self, run: Run, scale: str = FULL) -> bool:
        """Whether a run is one of these searches at this scale, on all of its images."""
        usual = self.settings()
        if scale not in scales.for_search(usual.space, usual.dataset):
            return False
        settings = self.settings(run.seed, scale)
        return run.parameters.get("fingerprint") == settings.fingerprint and run.reduced == settings.reduced

    def alike(self, run: Run) -> bool:
        """Whether it is one of them, of another size or on data that stand in."""
        settings = self.settings().as_dict()
        known = is_reduced_version_of(run.dataset, settings["dataset"]) and same_family(run.parameters) == same_family(settings)
        return known and not self.same(run) and not self.same(run, LAPTOP)

    def less(self, run: Run) -> str:
        """Why a run that is alike is no full one."""
        settings = self.settings().as_dict()
        if run.dataset != settings["dataset"]:
            return "; ".join([f"{run.dataset} instead of {settings['dataset']}", *run.reduced])
        other = [name for name in COMPARED if run.parameters.get(name, settings[name]) != settings[name]]
        changes = [f"{name} {run.parameters[name]} instead of {settings[name]}" for name in other]
        return "; ".join([*run.reduced, *changes]) or "settings that are not the protocol's"

    def at(self, scale: str, results: RunIndex) -> list[Measured]:
        return _values(self.read, (run for run in results.searches if self.same(run, scale)), lambda run: of_scale(scale))

    def full(self, results: RunIndex) -> list[Measured]:
        return self.at(FULL, results)

    def reduced(self, results: RunIndex) -> list[Measured]:
        return _values(self.read, (run for run in results.searches if self.alike(run)), self.less)

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        line = commands.makers().get(self.settings().stem)
        return (line,) if line else ()


def of_scale(scale: str) -> str:
    """Why a run at this scale stands in no column of the paper."""
    return "" if scale == FULL else f"the {scale} scale"


def _values(read: Read, runs: Iterator[Run], less: Callable[[Run], str]) -> list[Measured]:
    found = [(run, read(run)) for run in runs]
    return [Measured(value, run, run.seed, less(run)) for run, value in found if value is not None]


@dataclass(frozen=True)
class Trained(Source):
    """A metric of a published cell's training by its usual recipe."""

    cell: str
    dataset: str
    metric: Read
    protocol: str = "released"

    def at(self, scale: str, results: RunIndex) -> list[Measured]:
        return _values(self.metric, (run for run in results.trainings if self._same(run, scale)), lambda run: of_scale(scale))

    def full(self, results: RunIndex) -> list[Measured]:
        return self.at(FULL, results)

    def _same(self, run: Run, scale: str) -> bool:
        if scale not in scales.for_training("imagenet" if self.dataset == STREAMED else "cifar", self.dataset):
            return False
        settings = _training(self.cell, self.dataset, self.protocol, None, run.seed, scale)
        return run.parameters.get("fingerprint") == settings.fingerprint and run.reduced == (*settings.reduced, *settings.changed)

    def reduced(self, results: RunIndex) -> list[Measured]:
        alike = [
            run for run in results.trainings if run.parameters.get("cell") == self.cell and is_reduced_version_of(run.dataset, self.dataset)
        ]
        others = (run for run in alike if not (self._same(run, FULL) or self._same(run, LAPTOP)))
        return _values(self.metric, others, lambda run: _less_training(run, self.dataset))

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.training(self.cell, self.dataset),)


def _less_training(run: Run, dataset: str) -> str:
    stand_in = [] if run.dataset == dataset else [f"{run.dataset} instead of {dataset}"]
    return "; ".join([*stand_in, *run.reduced]) or "settings that are not the recipe's"


@dataclass(frozen=True)
class TrainedFound(Source):
    """A metric of trainings of the cells that searches of ours found; at a scale only where search and training both are."""

    search: Searched
    metric: Read
    why: str = ""

    def _trainings(self, results: RunIndex) -> Iterator[tuple[Run, Run]]:
        """Trainings with the search behind each."""
        mine = (run for run in results.searches if self.search.same(run) or self.search.same(run, LAPTOP) or self.search.alike(run))
        searched = {f"{run.name}-seed{run.seed}": run for run in mine}
        for run in results.trainings:
            behind = searched.get(run.parameters.get("cell"))
            if behind is not None and is_reduced_version_of(run.dataset, self.search.settings().dataset):
                yield run, behind

    def _same(self, run: Run, behind: Run, scale: str) -> bool:
        settings = self.search.settings()
        recipe = "imagenet" if settings.dataset == STREAMED else "robust_spaces" if settings.space in ROBUST_SPACES else "drnas"
        if scale not in scales.for_training("imagenet" if settings.dataset == STREAMED else "cifar", settings.dataset):
            return False
        usual = _training(ANY_CELL, settings.dataset, "released", recipe, 0, scale)
        whole = run.reduced == (*usual.reduced, *usual.changed) and run.dataset == settings.dataset
        return whole and run.parameters.get("recipe_name") == recipe and self.search.same(behind, scale)

    def at(self, scale: str, results: RunIndex) -> list[Measured]:
        there = (run for run, behind in self._trainings(results) if self._same(run, behind, scale))
        return _values(self.metric, there, lambda run: of_scale(scale))

    def full(self, results: RunIndex) -> list[Measured]:
        return self.at(FULL, results)

    def reduced(self, results: RunIndex) -> list[Measured]:
        why = {}
        for run, behind in self._trainings(results):
            if not (self._same(run, behind, FULL) or self._same(run, behind, LAPTOP)):
                of_search = "" if self.search.same(behind) else f"cell of a reduced search ({self.search.less(behind)})"
                why[run.folder] = "; ".join(part for part in (of_search, _less_training(run, self.search.settings().dataset)) if part)
        return _values(self.metric, (run for run in results.trainings if run.folder in why), lambda run: why[run.folder])

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        there = [run.seed for run in results.searches if self.search.same(run)]
        before = () if there else self.search.lines(results)
        return (*before, commands.training_of_found(self.search.settings(), min(there, default=0)))


@dataclass(frozen=True)
class LookedUp(Source):
    """Random search or REINFORCE on the benchmark's table; any number of seeds is the whole search."""

    dataset: str
    method: str
    split: str

    def full(self, results: RunIndex) -> list[Measured]:
        usual = TableSearchConfig.of({"dataset": self.dataset, "method": self.method}).settings()
        wanted = {name: getattr(usual, name) for name in ("dataset", "method", "budget_s", "seconds_per_query", "policy_lr")}
        runs = [run for run in results.lookups if all(run.parameters.get(name) == value for name, value in wanted.items())]
        largest = max(runs, key=lambda run: run.parameters.get("seeds", 0), default=None)
        rows = largest.beside.get("seeds") if largest else None
        column = [] if rows is None else rows.get(f"{self.dataset}_{self.split}_acc_pct", [])
        return [Measured(float(value), largest, seed) for seed, value in enumerate(column)]

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.lookup(),)


@dataclass(frozen=True)
class Optimum(Source):
    """The best of all cells, as the benchmark's table has it; every run that looked a cell up kept it."""

    dataset: str
    split: str
    why = "the best of all 15,625 cells, looked up"

    def full(self, results: RunIndex) -> list[Measured]:
        key = f"optimum_{self.dataset}_{self.split}_acc_pct"
        for run in (*results.lookups, *results.searches):
            kept = run.record["metrics"] | run.record.get("evaluation", {})
            if key in kept:
                return [Measured(kept[key], None, 0)]
        return []

    def lines(self, results: RunIndex) -> tuple[Command, ...]:
        return (commands.lookup(),)


@dataclass(frozen=True)
class Counted(Source):
    """The size of a published cell's network, counted on the network (darts_costs); nothing is run."""

    cell: str
    network: str

    def full(self, results: RunIndex) -> list[Measured]:
        (row,) = darts_tables.costs().query("cell == @self.cell and network == @self.network").to_dict("records")
        return [Measured(row["parameters"] / 1e6, None, 0)]
