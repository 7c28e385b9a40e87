"""Small runs of every kind, each as the command that a user starts and starts again."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT
from tests.conftest import SMALL, SMALL_STAGES

SEARCH = SMALL | {"epochs": [5], "device": "cpu", "snapshots": 2}
PROGRESSIVE = SMALL_STAGES | {"epochs": [3, 3], "device": "cpu", "snapshots": 2}
JUDGED = SMALL | {"device": "cpu", "evaluate": "train", "train_epochs": 3, "random_cells": 1, "train_seeds": 1}
RETRAIN = dict(dataset="digits", channels=2, cells=3, subset=96, batch_size=32, epochs=6, cutout=2, device="cpu")
LOOKED_UP = dict(dataset="cifar10", method="reinforce", seeds=400)
BEGUN = "begun"

SEARCHING = f"""
import json, sys
from drnas_lib.config.search import SearchConfig
from drnas_lib.search.run import run
print("{BEGUN}", flush=True)
for progress in run(SearchConfig.of(json.loads(sys.argv[1])).settings()): pass
"""
RETRAINING = SEARCHING.replace("drnas_lib.config.search", "drnas_lib.config.retrain").replace("SearchConfig", "RetrainConfig")
RETRAINING = RETRAINING.replace("drnas_lib.search.run", "drnas_lib.retrain.run")
LOOKING_UP = f"""
import json, sys
from drnas_lib.benchmark.policies import TableSearchSettings, run
print("{BEGUN}", flush=True)
run(TableSearchSettings.of(**json.loads(sys.argv[1])))
"""


@dataclass(frozen=True)
class Kind:
    """`command(folder)` runs it with its results below `folder`; `begun` is what it says when it gets to work, if it says anything."""

    command: Callable[[Path], list[str]]
    begun: str | None = BEGUN


def of_script(script: str, parameters: dict) -> Kind:
    return Kind(lambda folder: [sys.executable, "-c", script, json.dumps(parameters | {"results": str(folder)})])


def on_two_processes(job: str, parameters: dict) -> list[str]:
    """The documented command of a search or a training."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = (word for name, value in parameters.items() for word in ("-p", name, str(value)))
    return [*torchrun, "-m", "drnas_lib.distributed", job, *words]


def of_torchrun(job: str, parameters: dict) -> Kind:
    return Kind(lambda folder: on_two_processes(job, parameters | {"results": str(folder)}), None)


def of_notebook(name: str, parameters: dict, places: tuple[str, ...] = ("results",)) -> Kind:
    """`places` are the parameters that say where results go."""

    def command(folder: Path) -> list[str]:
        values = parameters | dict.fromkeys(places, str(folder / "runs"))
        words = [word for key, value in values.items() for word in ("-y", f"{key}: {json.dumps(value)}")]
        notebook = [str(PROJECT / "notebooks" / f"{name}.ipynb"), str(folder / "out.ipynb")]
        return [sys.executable, "-m", "papermill", *notebook, "-k", "python3", "--no-progress-bar", *words]

    return Kind(command, None)


KINDS = {
    "search": of_script(SEARCHING, SEARCH),
    "progressive": of_script(SEARCHING, PROGRESSIVE),
    "search and its cells": of_script(SEARCHING, JUDGED),
    "retrain": of_script(RETRAINING, RETRAIN),
    "search on two processes": of_torchrun("search", SEARCH),
    "retrain on two processes": of_torchrun("retrain", RETRAIN),
    "table search": of_script(LOOKING_UP, LOOKED_UP),
    "partial_channels.ipynb": of_notebook("partial_channels", {"ks": [1, 4]}),
    "nas_bench_201.ipynb": of_notebook("nas_bench_201", {"methods": ["drnas", "gdas", "enas"]}, ("results", "table_results")),
    "search.ipynb": of_notebook("search", SEARCH),
}


def search_settings(folder: Path, **changes):
    return SearchConfig.of(SEARCH | {"results": str(folder)} | changes).settings()


def retrain_settings(folder: Path, **changes):
    return RetrainConfig.of(RETRAIN | {"results": str(folder)} | changes).settings()
