"""The finished runs in a folder of results: searches, trainings, searches on the table, and the tables that studies left beside them.

`RunIndex.damaged` names what cannot be read; the rest is read all the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from drnas_lib.runs import integrity
from drnas_lib.runs.files import DONE, RecordError, read_json, resolve

SECONDS = {"search": "search_s", "retrain": "train_s", "table_search": "wall_s"}  # by kind, which names a folder too
KEYS = ("parameters.dataset", "metrics", "protocol", "data.fingerprint", "device")  # that every record has
SETTINGS = ("fingerprint", "space", "method", "stages", "lam", "weight_decay")
AS_IN_FIGURE_1 = (100, "test")  # draws after each epoch, and the images that their cells are judged on
OF_KIND = {
    "search": ("genotype", "stages", *(f"parameters.{name}" for name in SETTINGS)),
    "retrain": ("network.parameters", "parameters.fingerprint", "parameters.cell"),
    "table_search": (),
}


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its record, and the tables beside it by name (see BESIDE)."""

    kind: str
    folder: Path
    record: dict[str, Any] = field(repr=False, compare=False)
    beside: dict[str, pd.DataFrame] = field(repr=False, compare=False, default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        return self.record["parameters"]

    @property
    def name(self) -> str:
        """The same for all seeds of one search or training."""
        return self.folder.name if self.kind == "table_search" else self.folder.parent.name

    @property
    def dataset(self) -> str:
        return self.parameters["dataset"]

    @property
    def seed(self) -> int:
        return self.parameters.get("seed", 0)

    @property
    def looked_up(self) -> bool:
        """Whether its accuracies come from the benchmark table."""
        return self.kind == "table_search" or self.record.get("evaluation", {}).get("kind") == "table"

    @property
    def hours(self) -> float:
        return self.record["metrics"][SECONDS[self.kind]] / 3600

    @property
    def reduced(self) -> tuple[str, ...]:
        """How this run is smaller than the protocol's run, or differs from it."""
        return (*self.record.get("reduced", ()), *self.record.get("changed", ()))

    @property
    def work(self) -> float:
        """Images shown over all epochs, as far as the record says: of two reduced runs the larger one is nearer to full length."""
        stages = self.parameters.get("stages") or [self.parameters.get("recipe") or {"epochs": 0}]
        return sum(stage["epochs"] for stage in stages) * float(self.parameters.get("subset") or "inf")


@dataclass(frozen=True)
class RunIndex:
    """The finished runs of a folder of results."""

    root: Path
    searches: tuple[Run, ...]
    trainings: tuple[Run, ...]
    lookups: tuple[Run, ...]
    damaged: tuple[str, ...]

    @classmethod
    def read(cls, root: str | Path = "results") -> "RunIndex":
        """Every finished run under `root`; a missing folder holds none."""
        damaged: list[str] = []
        searches, trainings, lookups = (tuple(_runs(resolve(root), kind, damaged)) for kind in SECONDS)
        return cls(resolve(root), searches, trainings, lookups, tuple(damaged))

    def __len__(self) -> int:
        return len(self.searches) + len(self.trainings) + len(self.lookups)


def _runs(root: Path, kind: str, damaged: list[str]) -> Iterator[Run]:
    for done in sorted((root / kind).glob(f"*/{DONE}" if kind == "table_search" else f"*/seed*/{DONE}")):
        path = done.parent / integrity.RECORD
        try:
            record = integrity.read(path)
        except RecordError as error:
            damaged.append(str(error))
            continue
        missing = [key for key in (*KEYS, *OF_KIND[kind], f"metrics.{SECONDS[kind]}") if not _has(record, key)]
        if missing:
            damaged.append(f"{path} lacks {', '.join(missing)}. Repeat the run with rerun=True.")
        else:
            yield Run(kind, path.parent, record, dict(_beside(path.parent, record, damaged)))


def _beside(folder: Path, record: dict, damaged: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, (pattern, read) in BESIDE.items():
        for path in sorted(folder.glob(pattern)):
            try:
                table = read(integrity.checked(path, record), record)
            except (RecordError, OSError, ValueError, KeyError, TypeError) as error:
                damaged.append(f"{path}: {error}. Delete it and repeat the run or study that made it.")
            else:
                if table is not None:
                    yield name, table


def _csv(path: Path, record: dict[str, Any]) -> pd.DataFrame:
    return pd.read_csv(path)


def _draws(path: Path, record: dict[str, Any]) -> pd.DataFrame | None:
    """The accuracies of the draws after each epoch. None where they are not drawn and judged as the paper's."""
    about = read_json(path.with_name("exploration.json"))
    return pd.read_csv(path) if (about["samples"], about["split"]) == AS_IN_FIGURE_1 else None


def _eigenvalues(path: Path, record: dict[str, Any]) -> pd.DataFrame | None:
    """One row per epoch, with the columns of the study of eigenvalues. None if the study was interrupted before the last epoch."""
    rows = pd.DataFrame(integrity.read(path)["epochs"]).sort_values("epoch", ignore_index=True)
    rows = rows[["epoch", "dominant", "least", "ridge", "images"]]
    return rows if rows.epoch.iloc[-1] == sum(stage["epochs"] for stage in record["parameters"]["stages"]) else None


BESIDE: dict[str, tuple[str, Callable[[Path, dict[str, Any]], pd.DataFrame | None]]] = {
    "seeds": ("seeds.csv", _csv),
    "exploration": ("exploration_accuracy.csv", _draws),
    "eigenvalues": ("hessian_eta_literature_64_batch_float32.json", _eigenvalues),  # as the study measures by default
}


def _has(tree: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True
