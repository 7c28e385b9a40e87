"""The jobs of `make laptop`: papermill commands of one thread, and their order. paper/estimates.py says how many minutes each takes."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import PurePath
from typing import Any

from drnas_lib.collection.paper import estimates
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.scales import SMOKE
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.files import RunFolder

# Searches by the name of their file, params/search/nb201_cifar10_<this>.yaml.
DRNAS, DARTS = "drnas_released", "darts_released"
OF_TABLE_4 = (DRNAS, *(f"{method}_paper" for method in METHODS if method != "drnas"))  # the others as their own authors have them
OF_TABLE_1 = (DRNAS, *(f"{DRNAS}_k{k}" for k in (2, 4, 8)), "drnas_paper", f"{DRNAS}_progressive")
OF_TABLE_5 = (DRNAS, *(f"{DRNAS}_lam{lam}" for lam in ("0", "0.0005", "0.005", "0.01", "0.1", "1")))
KL = f"{DRNAS}_kl"
WITH_HESSIANS = (DARTS, *OF_TABLE_5, KL)  # keep snapshots, of which the studies take eigenvalues
SNAPSHOTS = 10  # epochs between two of them
HESSIANS = ("hessian", "lambda_ablation")  # the notebooks of these studies
READING = 0.5  # minutes of a notebook that only reads files


@dataclass(frozen=True)
class Plan:
    """Scale, data set, seeds and folder of all jobs; the test of the whole takes other data and the smoke scale."""

    scale: str = "laptop"
    dataset: str = "cifar10"
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    results: str = "results"

    def search(self, file: str, seed: int) -> SearchSettings:
        """The search of params/search/nb201_cifar10_<file>.yaml."""
        given = {"dataset": self.dataset, "scale": self.scale, "seed": seed, "results": f"{self.results}/search"}
        given = read_params("search", f"nb201_cifar10_{file}") | given
        snapshots = min(SNAPSHOTS, sum(s.epochs for s in SearchConfig.of(given).settings().stages)) if file in WITH_HESSIANS else 0
        return SearchConfig.of(given | {"snapshots": snapshots}).settings()

    def notebook_of(self, file: str, seed: int) -> str:
        """The executed notebook of a search."""
        return f"{self.results}/notebooks/{self.scale}/search_{self.dataset}_{file}_seed{seed}.ipynb"


@dataclass(frozen=True)
class Job:
    """An executed notebook to make: its path `out` in the project, papermill's options, and the paths of the notebooks that it reads."""

    notebook: str
    out: str
    options: tuple[str, ...]
    minutes: float
    after: tuple[str, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        return PurePath(self.out).stem

    @property
    def command(self) -> str:
        """Papermill's, as a shell reads it."""
        return shlex.join(["papermill", f"notebooks/{self.notebook}.ipynb", self.out, *self.options])

    @property
    def priority(self) -> int:
        """Of two jobs that can start the larger goes first: searches before what reads them, the report last, then the shorter."""
        turn = {"search": 3, "report": 1}.get(self.notebook, 2)
        return 10_000 * turn - round(10 * self.minutes)


def jobs(plan: Plan) -> list[Job]:
    """All jobs in the order in which they would run one at a time."""
    before = [*_searches(plan), *_studies(plan)]
    out = f"{plan.results}/notebooks/report.ipynb"
    report = Job("report", out, _given(results=plan.results), READING, tuple(job.out for job in before))
    return sorted([*before, report], key=lambda job: -job.priority)


def files(plan: Plan) -> list[str]:
    """The files of the searches that have a job, each once. At the smoke scale a search takes less time than a notebook of its own:
    the notebooks that read it make it, except the one that several read."""
    if plan.scale == SMOKE:
        return [DRNAS]
    return list(dict.fromkeys((*OF_TABLE_4, *OF_TABLE_1, *OF_TABLE_5, DARTS, KL)))


def _searches(plan: Plan) -> Iterator[Job]:
    for file, seed in product(files(plan), plan.seeds):
        settings = plan.search(file, seed)
        given = _given(dataset=plan.dataset, scale=plan.scale, seed=seed, snapshots=settings.snapshots, device="cpu")
        options = ("-f", f"params/search/nb201_cifar10_{file}.yaml", *given, *_given(results=f"{plan.results}/search"))
        minutes = estimates.assumption("core notebook") if RunFolder(settings.folder).done else estimates.core_minutes(settings)
        yield Job("search", plan.notebook_of(file, seed), options, minutes)


def _studies(plan: Plan) -> Iterator[Job]:
    """The tables and studies."""
    table_results = f"{plan.results}/table_search"
    yield _of_searches(plan, "nas_bench_201", "cifar10_laptop", OF_TABLE_4, datasets=plan.dataset, table_results=table_results)
    yield _of_searches(plan, "partial_channels", "cifar10_laptop", OF_TABLE_1, datasets=plan.dataset)
    for notebook in ("darts_space", "robust_spaces"):
        yield Job(notebook, f"{plan.results}/notebooks/{notebook}.ipynb", _given(results=plan.results), READING)
    yield _of_searches(plan, "hessian", "nb201_cifar10_laptop", (DRNAS, DARTS), dataset=plan.dataset)
    few = {"lams": "0,1"} if plan.scale == SMOKE else {}
    yield _of_searches(plan, "lambda_ablation", "nb201_cifar10_laptop", OF_TABLE_5, dataset=plan.dataset, **few)
    yield _of_searches(plan, "lambda_ablation", "nb201_cifar10_kl_laptop", (KL,), dataset=plan.dataset)
    one_hessian, one = estimates.core_study_minutes(1), plan.seeds[:1]
    for notebook, seeds, minutes in (
        ("exploration", plan.seeds, one_hessian),
        ("theory", one, estimates.core_theory_minutes()),
        ("constrained", one, one_hessian),
    ):
        for seed in seeds:  # each reads one search of DrNAS
            out = f"{plan.results}/notebooks/{notebook}_{plan.dataset}_{plan.scale}_seed{seed}.ipynb"
            options = _given(run=plan.search(DRNAS, seed).folder, device="cpu")
            yield Job(notebook, out, options, minutes, (plan.notebook_of(DRNAS, seed),))


def _of_searches(plan: Plan, notebook: str, file: str, read: tuple[str, ...], **data: str) -> Job:
    """A notebook that reads the searches `read` of all seeds, with the parameters of params/<notebook>/<file>.yaml and `data`."""
    searches = [plan.search(*one) for one in product(read, plan.seeds)] if notebook in HESSIANS else []
    minutes = estimates.core_study_minutes(sum(map(estimates.snapshots, searches)))
    data |= {"scale": plan.scale, "seeds": ",".join(map(str, plan.seeds)), "device": "cpu", "results": f"{plan.results}/search"}
    data |= {"snapshots": str(searches[0].snapshots)} if searches else {}
    stem = file.removeprefix("nb201_cifar10_").removeprefix("cifar10_").replace("laptop", plan.scale)
    out = f"{plan.results}/notebooks/{notebook}_{plan.dataset}_{stem}.ipynb"
    after = tuple(plan.notebook_of(search, seed) for search in read if search in files(plan) for seed in plan.seeds)
    return Job(notebook, out, ("-f", f"params/{notebook}/{file}.yaml", *_given(**data)), minutes, after)


def _given(**values: Any) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in ("-p", name, str(value)))
