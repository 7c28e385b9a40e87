"""The jobs of `make laptop`: everything of the paper on NAS-Bench-201 and CIFAR-10 at one scale, a papermill line each. No torch.

Searches come first, then the tables and studies that read them, and the report last. Every job computes with one thread.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from drnas_lib.collection.paper import estimates
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.scales import SMOKE
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.runs.records import RunFolder

DRNAS, DARTS = "drnas_released", "darts_released"
OF_TABLE_4 = (DRNAS, *(f"{method}_paper" for method in METHODS if method != "drnas"))  # the others as their own authors have them
OF_TABLE_1 = (DRNAS, *(f"{DRNAS}_k{k}" for k in (2, 4, 8)), "drnas_paper", f"{DRNAS}_progressive")
OF_TABLE_5 = (DRNAS, *(f"{DRNAS}_lam{lam}" for lam in ("0", "0.0005", "0.005", "0.01", "0.1", "1")))
KL = f"{DRNAS}_kl"
LOOKED_AT = (DARTS, *OF_TABLE_5, KL)  # whose eigenvalues are taken
SNAPSHOTS = 10  # epochs between two looks
FIRST, THEN, LAST = 2, 1, 0  # searches, what reads them, the report


@dataclass(frozen=True)
class Plan:
    """What the jobs run at, on and with; the test of the whole takes other data and the smoke scale."""

    scale: str = "laptop"
    dataset: str = "cifar10"
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    results: str = "results"

    def search(self, file: str, seed: int) -> SearchSettings:
        """The search of params/search/nb201_cifar10_<file>.yaml."""
        given = {"dataset": self.dataset, "scale": self.scale, "seed": seed, "results": f"{self.results}/search"}
        snapshots = min(SNAPSHOTS, self._epochs(given)) if file in LOOKED_AT else 0
        return SearchConfig.of(read_params("search", f"nb201_cifar10_{file}") | given | {"snapshots": snapshots}).settings()

    @staticmethod
    def _epochs(given: dict[str, Any]) -> int:
        return sum(stage.epochs for stage in SearchConfig.of(given).settings().stages)


@dataclass(frozen=True)
class Job:
    """An executed notebook to make: `out`, its place in the project; `after`, the places of those that it reads."""

    notebook: str
    out: str
    options: tuple[str, ...]
    minutes: float
    turn: int
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
        """Of two jobs that can start the larger goes first: by their turn, then the shorter."""
        return 10_000 * (self.turn + 1) - round(10 * self.minutes)


def jobs(plan: Plan) -> list[Job]:
    """All jobs in the order in which they would run one at a time."""
    searches = {(file, seed): _search(plan, file, seed) for file in files(plan) for seed in plan.seeds}
    studies = [*_tables(plan, searches), *_studies(plan, searches)]
    before = tuple(job.out for job in (*searches.values(), *studies))
    report = Job("report", f"{plan.results}/notebooks/report.ipynb", _given(results=plan.results), 0.5, LAST, before)
    return sorted([*searches.values(), *studies, report], key=lambda job: -job.priority)


def files(plan: Plan) -> list[str]:
    """Of the searches, each once: params/search/nb201_cifar10_<this>.yaml. Smoke searches take less time than a notebook of their own:
    the notebooks that read them make them, but for the one that several read."""
    if plan.scale == SMOKE:
        return [DRNAS]
    return list(dict.fromkeys((*OF_TABLE_4, *OF_TABLE_1, *OF_TABLE_5, DARTS, KL)))


def _search(plan: Plan, file: str, seed: int) -> Job:
    settings = plan.search(file, seed)
    options = ("-f", f"params/search/nb201_cifar10_{file}.yaml", *_given(dataset=plan.dataset, scale=plan.scale, seed=seed))
    options += _given(snapshots=settings.snapshots, device="cpu", results=f"{plan.results}/search")
    out = f"{plan.results}/notebooks/{plan.scale}/search_{plan.dataset}_{file}_seed{seed}.ipynb"
    minutes = estimates.of("notebook") if RunFolder(settings.folder).done else estimates.core_minutes(settings)
    return Job("search", out, options, minutes, FIRST)


def _tables(plan: Plan, searches: dict) -> Iterator[Job]:
    data = _given(datasets=plan.dataset)
    policies = _given(table_results=f"{plan.results}/table_search")
    yield _of_searches(plan, "nas_bench_201", "cifar10_laptop", OF_TABLE_4, searches, data + policies)
    yield _of_searches(plan, "partial_channels", "cifar10_laptop", OF_TABLE_1, searches, data)
    trained = _given(results=f"{plan.results}/retrain")
    for notebook in ("darts_space", "robust_spaces"):
        yield Job(notebook, f"{plan.results}/notebooks/{notebook}.ipynb", trained, 0.5, THEN)


def _studies(plan: Plan, searches: dict) -> Iterator[Job]:
    data = _given(dataset=plan.dataset)
    yield _of_searches(plan, "hessian", "nb201_cifar10_laptop", (DRNAS, DARTS), searches, data)
    yield _of_searches(plan, "lambda_ablation", "nb201_cifar10_laptop", OF_TABLE_5, searches, data)
    yield _of_searches(plan, "lambda_ablation", "nb201_cifar10_kl_laptop", (KL,), searches, data)
    for seed in plan.seeds:
        yield _of_run(plan, "exploration", seed, searches)
    for notebook in ("theory", "constrained"):
        yield _of_run(plan, notebook, plan.seeds[0], searches)


def _of_searches(plan: Plan, notebook: str, file: str, read: tuple[str, ...], searches: dict, data: tuple[str, ...]) -> Job:
    """A notebook that reads the searches `read` of all seeds, with the parameters of params/<notebook>/<file>.yaml."""
    stem = file.removeprefix("nb201_cifar10_").removeprefix("cifar10_").replace("laptop", plan.scale)
    seeds = ",".join(map(str, plan.seeds))
    options = ("-f", f"params/{notebook}/{file}.yaml", *data, *_given(scale=plan.scale, seeds=seeds, device="cpu"))
    looks = 0
    if notebook in ("hessian", "lambda_ablation"):
        snapshots = plan.search(read[0], plan.seeds[0]).snapshots
        options += _given(snapshots=snapshots)
        looks = sum(estimates.snapshots(plan.search(one, seed)) for one in read for seed in plan.seeds)
    after = tuple(searches[key].out for key in ((one, seed) for one in read for seed in plan.seeds) if key in searches)
    out = f"{plan.results}/notebooks/{notebook}_{plan.dataset}_{stem}.ipynb"
    return Job(notebook, out, (*options, *_given(results=f"{plan.results}/search")), estimates.core_study_minutes(looks), THEN, after)


def _of_run(plan: Plan, notebook: str, seed: int, searches: dict) -> Job:
    """A notebook that reads one search of DrNAS."""
    out = f"{plan.results}/notebooks/{notebook}_{plan.dataset}_{plan.scale}_seed{seed}.ipynb"
    options = _given(run=plan.search(DRNAS, seed).folder, device="cpu")
    return Job(notebook, out, options, estimates.core_study_minutes(1), THEN, (searches[DRNAS, seed].out,))


def _given(**values: Any) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in ("-p", name, str(value)))
