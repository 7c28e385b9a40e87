"""The papermill commands that make the paper's numbers: each has a notebook, a file of params and parameters that it adds to them.

Every search has one command. Where a study reads the search's snapshots afterwards, the notebook of the study makes it, since that one
keeps them; the notebooks of Tables 1 and 4 make their searches with all seeds of the paper; notebooks/search.ipynb makes the rest.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drnas_lib.benchmark.table import DATASETS
from drnas_lib.collection.paper.numbers import OURS
from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.studies import config as studies
from drnas_lib.collection.studies.comparison import ComparisonConfig, PartialChannelsConfig, PlannedSearch
from drnas_lib.collection.views.published import paper_table
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import Parameters, file_of_parameters
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.files import PROJECT

CONFIGS: dict[str, type[Parameters]] = {  # notebook -> its parameters
    "search": SearchConfig,
    "retrain": RetrainConfig,
    "nas_bench_201": ComparisonConfig,
    "partial_channels": PartialChannelsConfig,
    "hessian": studies.HessianConfig,
    "lambda_ablation": studies.LambdaConfig,
    "main_job": studies.MainJobConfig,
    "exploration": studies.ExplorationConfig,
    "theory": studies.TheoryConfig,
    "constrained": studies.ConstrainedConfig,
    "darts_space": studies.ReportConfig,
    "robust_spaces": studies.ReportConfig,
    "report": studies.ReportConfig,
    "speed": SpeedConfig,
}
SMALLER = ("smoke", "laptop")  # ends of the names of params files that are smaller than the paper's runs


@dataclass(frozen=True)
class Command:
    """One run of a notebook. `out` names the executed copy, `file` a file of params/<notebook>/, `given` parameters beside it."""

    notebook: str
    out: str
    file: str | None = None
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def line(self) -> str:
        """As it is typed at the root of the project."""
        words = ["papermill", f"notebooks/{self.notebook}.ipynb", f"results/notebooks/{self.out}.ipynb"]
        words += ["-f", f"params/{self.notebook}/{self.file}.yaml"] if self.file else []
        return shlex.join(words + [word for name, value in self.given for word in ("-p", name, str(value))])

    def parameters(self) -> dict[str, Any]:
        """The parameters that the notebook gets. Raises ParameterError where the file is missing or no YAML."""
        return (read_params(self.notebook, self.file) if self.file else {}) | dict(self.given)

    def config(self) -> Parameters:
        """The checked parameters. Raises ParameterError."""
        return CONFIGS[self.notebook].of(self.parameters())

    def searches(self) -> list[SearchSettings]:
        """The searches that it makes where they are missing."""
        if self.notebook == "retrain":  # whose cell may not be there yet
            return []
        return planned_searches(self.config())


def planned_searches(config: Any) -> list[SearchSettings]:
    """The searches that a notebook with these parameters makes where they are missing."""
    if isinstance(config, SearchConfig):
        return [config.settings()]
    found = config.searches() if hasattr(config, "searches") else []
    return [search.settings if isinstance(search, PlannedSearch) else search for search in found]


def read_params(notebook: str, file: str) -> dict[str, Any]:
    """The content of params/<notebook>/<file>.yaml. Raises ParameterError."""
    return file_of_parameters(PROJECT / "params" / notebook / f"{file}.yaml")


@lru_cache(maxsize=1)
def search_commands() -> dict[str, Command]:
    """Name of a full-length search -> the command that makes it: the first one that does, studies before tables before single searches."""
    found: dict[str, Command] = {}
    for command in _making_searches():
        for settings in command.searches():
            found.setdefault(settings.stem, command)
    return found


def _making_searches() -> Iterator[Command]:
    for method in ("drnas", "darts"):
        yield Command("hessian", f"hessian_cifar10_{method}", "nb201_cifar10", (("methods", method),))
    for row in paper_table(5)["rows"]:
        yield Command("lambda_ablation", f"lambda_ablation_cifar10_{row['lam']:g}", "nb201_cifar10", (("lams", row["lam"]),))
    for method in reversed(METHODS):  # DrNAS first
        for dataset in DATASETS:
            given = (("datasets", dataset), ("methods", method))
            yield Command("nas_bench_201", f"nas_bench_201_{dataset}_{method}", "published_full", given)
    partial = [(row["dataset"], row["k"]) for row in paper_table(1)["rows"] if row["k"] not in (1, OURS)]
    largest = max(k for _, k in partial)  # where the progressive search begins: one command makes both
    for dataset, k in partial:
        ks = (("datasets", dataset), ("ks", k), ("progressive", k == largest))
        yield Command("partial_channels", f"partial_channels_{dataset}_k{k}", "published_full", ks)
    for file in sorted(path.stem for path in (PROJECT / "params" / "search").glob("*.yaml")):
        if not file.endswith(SMALLER):
            yield Command("search", f"search_{file}_seed0", file, (("seed", 0),))


def lookup() -> Command:
    """Random search and REINFORCE, all data sets."""
    return Command("nas_bench_201", "nas_bench_201_policies", "published_policies_full")


def training(cell: str, dataset: str) -> Command:
    """A published cell, trained by the released recipe."""
    file = f"{cell}_{dataset}_released"
    return Command("retrain", f"retrain_{file}_seed0", file, (("seed", 0),))


def training_of_found(search: SearchSettings, seed: int = 0) -> Command:
    """The cell that a search of ours found, trained on the same data by the recipe of its space."""
    dataset = () if search.dataset == RetrainConfig.model_fields["dataset"].default else (("dataset", search.dataset),)
    given = (("seed", seed), *dataset, ("genotype", f"results/search/{search.stem}/seed{seed}"))
    return Command("retrain", f"retrain_found_{search.dataset}_of_{search_commands()[search.stem].file}_seed{seed}", None, given)


def exploration(search: SearchSettings) -> Command:
    """The draws of Figure 1, epoch by epoch."""
    return Command("exploration", f"exploration_{search.stem}_seed0", None, (("run", f"results/search/{search.stem}/seed0"),))
