"""The searches behind Table 4 and Table 1 and their results: parameters in, settings and a DataFrame of runs out. No torch."""

from abc import abstractmethod
from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.benchmark.table import DATASETS as OF_THE_BENCHMARK
from drnas_lib.collection.studies.config import DATASETS, Seeds, several
from drnas_lib.config.kinds import Count, Device, FolderPath, PerStage, Protocol, Scale
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import Parameters, Truth, choice, integers, one_of, problems_of
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, resolve

MOST_TABLE_SEEDS = 10_000  # their queries at every cost that the notebook shows fit into the memory
Reasons = dict[tuple[str, str], str]  # (label, data set) -> why a search could not be made


@dataclass(frozen=True)
class PlannedSearch:
    """One search of a table: the row it belongs to and its settings."""

    row: str
    label: str
    settings: SearchSettings


class TableOfSearches(Parameters):
    """The parameters that both comparisons have."""

    datasets: Annotated[list[str], several(choice(*DATASETS), "['cifar10', 'digits']")] = ["digits"]
    seeds: Seeds = [0]
    scale: Scale = "full"
    protocol: Protocol = "released"
    device: Device = "auto"
    at_once: Count | None = 1
    results: FolderPath = "results/search"
    rerun: Truth = False

    def searches(self) -> list[PlannedSearch]:
        """Those that train a supernet, data set by data set, seed by seed, in the order of the table. Raises ParameterError."""
        common = {"scale": self.scale, "device": self.device, "results": self.results}
        return [
            PlannedSearch(row, label, SearchConfig.of(common | {"dataset": dataset, "seed": seed} | given).settings())
            for dataset in self.datasets
            for seed in self.seeds
            for row, label, given in self._rows()
        ]

    def _problems(self) -> list[str]:
        return problems_of(self.searches)

    @abstractmethod
    def _rows(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Row, label and own parameters of the searches for one data set and seed."""


class ComparisonConfig(TableOfSearches):
    """The parameters of notebooks/nas_bench_201.ipynb."""

    methods: Annotated[list[str], several(one_of(ChainMap(METHODS, policies.POLICIES)), "['darts', 'drnas']")] = [
        *policies.POLICIES,
        *METHODS,
    ]
    baseline_protocol: Protocol = "paper"
    table_results: FolderPath = "results/table_search"
    table_seeds: Annotated[list[int], integers(1, MOST_TABLE_SEEDS)] = [500]

    def _problems(self) -> list[str]:
        if len(self.table_seeds) != 1:
            return [f"table_seeds={self.table_seeds}: allowed is how many seeds there are, one number."]
        return super()._problems()

    def _rows(self) -> list[tuple[str, str, dict[str, Any]]]:
        given = {method: {"method": method, "protocol": self.baseline_protocol} for method in METHODS if method in self.methods}
        own = {"drnas": {"protocol": self.protocol, "progressive": False}}  # Table 4 is without stages
        return [(method, METHODS[method].label, values | own.get(method, {})) for method, values in given.items()]

    def lookups(self) -> list[TableSearchSettings]:
        """Those that look cells up in the benchmark's table."""
        (seeds,) = self.table_seeds
        return [
            TableSearchSettings.of(d, m, seeds, results=self.table_results)
            for d in self.datasets
            if d in OF_THE_BENCHMARK
            for m in self.methods
            if m in policies.POLICIES
        ]


class PartialChannelsConfig(TableOfSearches):
    """The parameters of notebooks/partial_channels.ipynb."""

    ks: PerStage = [1, 2, 4, 8]
    progressive: Truth = True
    progressive_protocol: Protocol = "paper"

    def _problems(self) -> list[str]:
        return [f"ks={self.ks}: {line}" if line.startswith("k=") else line for line in super()._problems()]

    def _rows(self) -> list[tuple[str, str, dict[str, Any]]]:
        """One K after another, then the progressive search."""
        fixed = [(str(k), f"K = {k}", {"protocol": self.protocol, "progressive": False, "k": [k]}) for k in self.ks]
        progressive = ("ours", "progressive", {"protocol": self.progressive_protocol, "progressive": True})
        return [*fixed, progressive] if self.progressive else fixed


RUN_COLUMNS = [
    "row", "label", "dataset", "seed", "reduced", "genotype", "valid_acc_pct", "test_acc_pct", "search_s", "gpu_peak_memory_mb",
    "activation_mb", "stage_memory",
]  # fmt: skip


def runs(searches: list[PlannedSearch], lookups: Sequence[TableSearchSettings] = ()) -> pd.DataFrame:
    """A row for every finished seed of these searches, including seeds not among them; columns RUN_COLUMNS."""
    rows = [row for settings in lookups for row in _lookup_rows(settings)]
    by_folder: dict[Path, PlannedSearch] = {}
    for search in searches:
        by_folder.setdefault(resolve(search.settings.folder).parent, search)  # the same for all seeds
    for folder, search in by_folder.items():
        seeds = {int(number): path for path in folder.glob("seed*") if (number := path.name.removeprefix("seed")).isdigit()}
        rows += [_row(search, integrity.record(run)) for run in (RunFolder(seeds[number]) for number in sorted(seeds)) if run.done]
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


def _row(search: PlannedSearch, record: dict) -> dict[str, Any]:
    stages = record["stages"]
    return {
        "row": search.row,
        "label": search.label,
        "dataset": record["parameters"]["dataset"],
        "seed": record["parameters"]["seed"],
        "reduced": "; ".join(record["reduced"]),
        "genotype": record["genotype"],
        "valid_acc_pct": accuracy(record, "valid"),
        "test_acc_pct": accuracy(record, "test"),
        "search_s": record["metrics"]["search_s"],
        "gpu_peak_memory_mb": max(stage["gpu_peak_memory_mb"] or 0 for stage in stages) or None,
        "activation_mb": max(stage["activation_mb"] for stage in stages),
        "stage_memory": stages,
    }


def accuracy(record: dict, split: str) -> float | None:
    """The found cell's accuracy in %: from the benchmark, or from training it here; None where it was not evaluated."""
    evaluation, key = record.get("evaluation", {}), f"{record['parameters']['dataset']}_{split}_acc_pct"
    derived = [cell for cell in evaluation.get("cells", ()) if cell["cell"] == "derived"]
    return (derived[0] if derived else evaluation).get(key)


def _lookup_rows(settings: TableSearchSettings) -> list[dict[str, Any]]:
    """The seeds of a search on the benchmark's table; none where it is not finished."""
    folder = RunFolder(settings.folder)
    if not folder.done:
        return []
    record = integrity.record(folder)
    found = integrity.table(folder.file("seeds.csv"), record)
    found.columns = found.columns.str.removeprefix(f"{settings.dataset}_")
    about = {"row": settings.method, "label": policies.LABELS[settings.method], "dataset": settings.dataset, "reduced": ""}
    return found.assign(**about, search_s=record["metrics"]["wall_s"] / settings.seeds).to_dict("records")
