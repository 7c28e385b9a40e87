"""Which searches make Table 4 and Table 1, and what they have found: parameters in, settings and a DataFrame of runs out. No torch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import pandas as pd

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchConfig, TableSearchSettings
from drnas_lib.benchmark.table import DATASETS as OF_THE_BENCHMARK
from drnas_lib.config.kinds import Count, Device, FolderPath, Protocol, Scale
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import Kind, Parameters, Truth, integers, nearest, problems_of, shown
from drnas_lib.config.presets import FAMILIES, searched
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs import integrity
from drnas_lib.runs.records import RunFolder, resolve

DATASETS = [name for name in FAMILIES if searched("nb201", name) and name != "folder"]  # which notebooks/search.ipynb searches
K = Annotated[list[int], integers(1)]
MOST_TABLE_SEEDS = 10_000  # their queries at every cost that the notebook shows fit into the memory


def names(table: Iterable[str], *more: Iterable[str]) -> Kind:
    """Some names of the tables, as a list or as text with commas."""

    def read(value: Any) -> list[str]:
        known = [name for part in (table, *more) for name in part]
        if isinstance(value, str):
            value = [word.strip(" []'\"") for word in value.split(",")]
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"allowed is a list of some of {', '.join(known)}.")
        for name in value:
            if name not in known:
                raise ValueError(f"allowed is a list of some of {', '.join(known)}, not {shown(name)}.{nearest(name, known)}")
        return list(dict.fromkeys(value))

    words = [name for part in (table, *more) for name in part]
    return Kind(read, (words[:1], words), ([], "", ["x"]))


Datasets = Annotated[list[str], names(DATASETS)]
Seeds = Annotated[list[int], integers(0)]


@dataclass(frozen=True)
class PlannedSearch:
    """One search of a table: the row it belongs to and its settings."""

    row: str
    label: str
    settings: SearchSettings


class ComparisonConfig(Parameters):
    """The parameters of notebooks/nas_bench_201.ipynb."""

    datasets: Datasets = ["digits"]
    methods: Annotated[list[str], names(METHODS, policies.POLICIES)] = [*policies.POLICIES, *METHODS]
    seeds: Seeds = [0]
    scale: Scale = "full"
    protocol: Protocol = "released"
    baseline_protocol: Protocol = "paper"
    device: Device = "auto"
    at_once: Count | None = 1
    results: FolderPath = "results/search"
    table_results: FolderPath = "results/table_search"
    table_seeds: Annotated[list[int], integers(1, MOST_TABLE_SEEDS)] = [500]
    rerun: Truth = False

    def _problems(self) -> list[str]:
        if len(self.table_seeds) != 1:
            return [f"table_seeds={self.table_seeds}: allowed is how many seeds there are, one number."]
        return problems_of(self.searches)

    def searches(self) -> list[PlannedSearch]:
        """Those that train a supernet, data set by data set, seed by seed, in the order of Table 4."""
        return [
            PlannedSearch(method, METHODS[method].label, self._settings(dataset, method, seed))
            for dataset in self.datasets
            for seed in self.seeds
            for method in METHODS
            if method in self.methods
        ]

    def _settings(self, dataset: str, method: str, seed: int) -> SearchSettings:
        given = {"dataset": dataset, "method": method, "protocol": self.baseline_protocol, "scale": self.scale, "seed": seed}
        if method == "drnas":  # Table 4 is without stages
            given |= {"protocol": self.protocol, "progressive": False}
        return SearchConfig.of(given | {"device": self.device, "results": self.results}).settings()

    def lookups(self) -> list[TableSearchSettings]:
        """Those that look cells up in the benchmark's table."""
        (seeds,) = self.table_seeds
        return [
            TableSearchConfig.of({"dataset": d, "method": m, "seeds": seeds, "results": self.table_results}).settings()
            for d in self.datasets
            if d in OF_THE_BENCHMARK
            for m in self.methods
            if m in policies.POLICIES
        ]


class PartialChannelsConfig(Parameters):
    """The parameters of notebooks/partial_channels.ipynb."""

    datasets: Datasets = ["digits"]
    ks: K = [1, 2, 4, 8]
    progressive: Truth = True
    seeds: Seeds = [0]
    scale: Scale = "full"
    protocol: Protocol = "released"
    progressive_protocol: Protocol = "paper"
    device: Device = "auto"
    at_once: Count | None = 1
    results: FolderPath = "results/search"
    rerun: Truth = False

    def _problems(self) -> list[str]:
        return [f"ks={self.ks}: {line}" if line.startswith("k=") else line for line in problems_of(self.searches)]

    def searches(self) -> list[PlannedSearch]:
        """One K after another, then the progressive search, for each data set and seed."""
        kinds = [(str(k), self.protocol, {"progressive": False, "k": [k]}) for k in self.ks]
        kinds += [("ours", self.progressive_protocol, {"progressive": True})] if self.progressive else []
        return [
            PlannedSearch(row, "progressive" if row == "ours" else f"K = {row}", self._settings(dataset, protocol, changes, seed))
            for dataset in self.datasets
            for seed in self.seeds
            for row, protocol, changes in kinds
        ]

    def _settings(self, dataset: str, protocol: str, changes: dict, seed: int) -> SearchSettings:
        given = {"dataset": dataset, "protocol": protocol, "scale": self.scale, "seed": seed, "device": self.device}
        return SearchConfig.of(given | changes | {"results": self.results}).settings()


def runs(wanted: list[PlannedSearch]) -> pd.DataFrame:
    """A row for every finished seed of these searches, seeds that were not asked for included; columns as in `_run`."""
    rows, seen = [], set()
    for search in wanted:
        place = resolve(search.settings.folder).parent
        if place in seen:
            continue
        seen.add(place)
        folders = sorted(place.glob("seed" + "[0-9]*"), key=lambda path: int(path.name.removeprefix("seed")))
        rows += [_run(search, integrity.record(run)) for run in map(RunFolder, folders) if run.done]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


RUN_COLUMNS = [
    "row", "label", "dataset", "seed", "reduced", "protocol", "genotype", "valid_acc_pct", "test_acc_pct", "search_s", "gpu_peak_memory_mb",
    "activation_mb", "stage_memory", "device",
]  # fmt: skip


def _run(search: PlannedSearch, record: dict) -> dict:
    dataset, stages = record["parameters"]["dataset"], record["stages"]
    gpu = [stage["gpu_peak_memory_mb"] for stage in stages if stage["gpu_peak_memory_mb"]]
    return {
        "row": search.row,
        "label": search.label,
        "dataset": dataset,
        "seed": record["parameters"]["seed"],
        "reduced": "; ".join(record["reduced"]),
        "protocol": record["protocol"],
        "genotype": record["genotype"],
        "valid_acc_pct": accuracy(record, "valid"),
        "test_acc_pct": accuracy(record, "test"),
        "search_s": record["metrics"]["search_s"],
        "gpu_peak_memory_mb": max(gpu, default=None),
        "activation_mb": max(stage["activation_mb"] for stage in stages),
        "stage_memory": stages,
        "device": record["device"],
    }


def accuracy(record: dict, split: str) -> float | None:
    """Of the found cell: as the benchmark has it, or after training it here; None where it was not judged."""
    evaluation, key = record.get("evaluation", {}), f"{record['parameters']['dataset']}_{split}_acc_pct"
    derived = [cell for cell in evaluation.get("cells", ()) if cell["cell"] == "derived"]
    return (derived[0] if derived else evaluation).get(key)


def lookup_runs(lookups: list[TableSearchSettings]) -> pd.DataFrame:
    """The seeds of the finished searches on the table, in the columns of `runs`."""
    rows = []
    for settings in lookups:
        folder = RunFolder(settings.folder)
        if folder.done:
            record = integrity.record(folder)
            seconds = record["metrics"]["wall_s"] / settings.seeds
            found = integrity.table(folder.file("seeds.csv"), record)
            found.columns = [name.removeprefix(f"{settings.dataset}_") for name in found.columns]
            of_all = {"row": settings.method, "label": policies.LABELS[settings.method], "dataset": settings.dataset, "reduced": ""}
            rows += [of_all | row | {"search_s": seconds, "device": "table"} for row in found.to_dict("records")]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)
