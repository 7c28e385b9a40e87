"""The papermill lines that make the paper's numbers: each a notebook, a file of params and what is said beside it.

Every search has one line. Where a study looks into the search afterwards, its notebook makes it, since that keeps the
snapshots; the searches of Tables 1 and 4 are made by their notebooks, which run all seeds of the paper; the rest by notebooks/search.ipynb.
"""

import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from drnas_lib.benchmark.table import DATASETS
from drnas_lib.collection.paper.numbers import OURS, table
from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.studies.comparison import ComparisonConfig, PartialChannelsConfig, PlannedSearch
from drnas_lib.collection.studies.config import (
    ConstrainedConfig,
    ExplorationConfig,
    HessianConfig,
    LambdaConfig,
    MainJobConfig,
    ReportConfig,
    TablesConfig,
    TheoryConfig,
)
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import Parameters
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.records import PROJECT, RecordError

CONFIGS: dict[str, type[Parameters]] = {  # notebook -> its parameters
    "search": SearchConfig,
    "retrain": RetrainConfig,
    "nas_bench_201": ComparisonConfig,
    "partial_channels": PartialChannelsConfig,
    "hessian": HessianConfig,
    "lambda_ablation": LambdaConfig,
    "main_job": MainJobConfig,
    "exploration": ExplorationConfig,
    "theory": TheoryConfig,
    "constrained": ConstrainedConfig,
    "darts_space": TablesConfig,
    "robust_spaces": TablesConfig,
    "report": ReportConfig,
    "speed": SpeedConfig,
}
LESS = ("smoke", "laptop")  # variants of params files that are less than the paper


@dataclass(frozen=True)
class Command:
    """One run of a notebook. `file` is a file of params/<notebook>/, `given` goes beside it, `out` names the executed copy."""

    notebook: str
    out: str
    file: str | None = None
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def command(self) -> str:
        """As it is typed at the root of the project."""
        words = ["papermill", f"notebooks/{self.notebook}.ipynb", f"results/notebooks/{self.out}.ipynb"]
        words += ["-f", f"params/{self.notebook}/{self.file}.yaml"] if self.file else []
        return shlex.join(words + [word for name, value in self.given for word in ("-p", name, str(value))])

    def parameters(self) -> dict[str, Any]:
        """What the notebook is given. Raises RecordError where the file is missing or no YAML."""
        return read_params(self.notebook, self.file) | dict(self.given)

    def config(self) -> Parameters:
        """Raises ParameterError, RecordError."""
        return CONFIGS[self.notebook].of(self.parameters())

    def searches(self) -> list[SearchSettings]:
        """The searches that it makes where they are missing."""
        if self.notebook == "search":
            return [self.config().settings()]
        found = self.config().searches() if self.notebook != "retrain" else []
        return [search.settings if isinstance(search, PlannedSearch) else search for search in found]


def read_params(notebook: str, file: str | None) -> dict[str, Any]:
    """The content of params/<notebook>/<file>.yaml. Raises RecordError."""
    if file is None:
        return {}
    path = PROJECT / "params" / notebook / f"{file}.yaml"
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise RecordError(f"could not read {path}: {error}. A line of the paper needs it; restore it from the repository.") from error


@lru_cache(maxsize=1)
def makers() -> dict[str, Command]:
    """Name of a full-length search -> the line that makes it. Of two lines the first counts."""
    found: dict[str, Command] = {}
    for line in (*_studies(), *_comparisons(), *_partial_channels(), *_searches()):
        for settings in line.searches():
            found.setdefault(settings.stem, line)
    return found


def _studies() -> list[Command]:
    lams = [row["lam"] for row in table(5)["rows"]]
    hessian = [Command("hessian", f"hessian_cifar10_{m}", "nb201_cifar10", (("methods", m),)) for m in ("drnas", "darts")]
    return hessian + [Command("lambda_ablation", f"lambda_ablation_cifar10_{v:g}", "nb201_cifar10", (("lams", v),)) for v in lams]


def _comparisons() -> list[Command]:
    wanted = [(dataset, method) for method in reversed(METHODS) for dataset in DATASETS]  # DrNAS first
    return [Command("nas_bench_201", f"nas_bench_201_{d}_{m}", "published_full", (("datasets", d), ("methods", m))) for d, m in wanted]


def _partial_channels() -> list[Command]:
    ks = {(row["dataset"], row["k"]): None for row in table(1)["rows"] if row["k"] not in (1, OURS)}
    largest = max(k for _, k in ks)  # where the progressive search begins: one line makes both
    given = {(d, k): (("datasets", d), ("ks", k), ("progressive", k == largest)) for d, k in ks}
    return [Command("partial_channels", f"partial_channels_{d}_k{k}", "published_full", said) for (d, k), said in given.items()]


def _searches() -> list[Command]:
    files = sorted(path.stem for path in (PROJECT / "params" / "search").glob("*.yaml"))
    return [Command("search", f"search_{file}_seed0", file, (("seed", 0),)) for file in files if not file.endswith(LESS)]


def lookup() -> Command:
    """Random search and REINFORCE, all data sets."""
    return Command("nas_bench_201", "nas_bench_201_policies", "published_policies_full")


def training(cell: str, dataset: str) -> Command:
    """A published cell, trained by the released recipe."""
    file = f"{cell}_{dataset}_released"
    return Command("retrain", f"retrain_{file}_seed0", file, (("seed", 0),))


def training_of_found(search: SearchSettings, seed: int = 0) -> Command:
    """The cell that a search of ours found, trained on the same data by its space's recipe."""
    dataset = () if search.dataset == RetrainConfig.model_fields["dataset"].default else (("dataset", search.dataset),)
    given = (("seed", seed), *dataset, ("genotype", f"results/search/{search.stem}/seed{seed}"))
    return Command("retrain", f"retrain_found_{search.dataset}_of_{makers()[search.stem].file}_seed{seed}", None, given)


def exploration(search: SearchSettings) -> Command:
    """The draws of Figure 1, epoch by epoch."""
    return Command("exploration", f"exploration_{search.stem}_seed0", None, (("run", f"results/search/{search.stem}/seed0"),))
