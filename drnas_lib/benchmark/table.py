"""NAS-Bench-201 as a table: the accuracies of each of the 15,625 cells, and the rank of a cell among them.

Dong & Yang, *NAS-Bench-201* (ICLR 2020). Accuracies are in per cent, means over the benchmark's seeds: `valid` and
`test` after the 200-epoch schedule, `valid_12` on the validation set after the 12-epoch schedule. Made once, and compared
with the official files, by

    python -m drnas_lib.benchmark convert --source FILE_OR_FOLDER --trust-pickle
    python -m drnas_lib.benchmark check --source FILE_OR_FOLDER --trust-pickle
"""

import math
import zlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.genotype import Nb201Genotype, all_nb201
from drnas_lib.runs.files import data_root, resolve

FILE_NAME = "nas_bench_201.csv.gz"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
SPLITS = ("valid", "test", "valid_12")
ACCURACY_COLUMNS = (
    *(f"{dataset}_{split}" for dataset in DATASETS for split in ("valid", "test")),
    *(f"{dataset}_valid_12" for dataset in DATASETS),
)
COLUMNS = ("index", "arch", *ACCURACY_COLUMNS)


@dataclass(frozen=True)
class Standing:
    """Where a cell, or the median of several, stands among all 15,625 on a data set and split; all but `rank` in per cent.

    Rank 1 is the best. Cells of equal accuracy share the best of their ranks, and none of them is better than another: `rank` is
    1 + the number of cells that are strictly better, `below_pct` the share of cells that are strictly worse.
    """

    accuracy_pct: float
    rank: float
    below_pct: float
    best_pct: float

    def __str__(self) -> str:
        return f"{self.accuracy_pct:.2f} %: {place(self.rank, self.below_pct)}; the best cell has {self.best_pct:.2f} %"

    @property
    def short(self) -> str:
        """For tables: '120 (99.2 %)'."""
        return f"{self.rank:,g} ({_floored(self.below_pct)} %)"

    def to_record(self, key: str) -> dict[str, float]:
        """The entries of a record; `key` is data set and split, such as cifar10_test."""
        return dict(zip(_record_keys(key), astuple(self)))

    @classmethod
    def from_record(cls, found: dict, key: str) -> "Standing | None":
        """The standing in the entries `found` of a record, or None where a run kept no rank."""
        return cls(*(found[name] for name in _record_keys(key))) if found.keys() >= set(_record_keys(key)) else None


def _record_keys(key: str) -> tuple[str, str, str, str]:
    return f"{key}_acc_pct", f"{key}_rank", f"{key}_below_pct", f"optimum_{key}_acc_pct"


def place(rank: float, below_pct: float) -> str:
    """A standing in words; the median of several may lie between two ranks."""
    return f"rank {rank:,g}, better than {_floored(below_pct)} % of all cells"


def _floored(below_pct: float) -> str:
    """99.98 -> '99.9': only all cells are 100."""
    return f"{math.floor(10 * below_pct) / 10:.1f}"


def how_to_get(path: Path | None = None) -> str:
    """The message where the table is missing: the path looked for, the command that makes the table, and what that costs."""
    path = path or data_root() / FILE_NAME
    return (
        f"no NAS-Bench-201 table at {path}. Download and unpack NATS-tss-v1_0-3ffb9-simple.tar, linked at "
        "https://github.com/D-X-Y/NATS-Bench, and run: "
        f"python -m drnas_lib.benchmark convert --source NATS-tss-v1_0-3ffb9-simple --out {path} --trust-pickle "
        "(about 7 minutes, 0.1 GB of memory). --source NAS-Bench-201-v1_1-096897.pth gives the same table with 27 GB of memory. "
        "More: docs/benchmark.md"
    )


class Benchmark:
    """The table of `frame`, columns `COLUMNS`, a row for each of the 15,625 cells. Raises DamagedData."""

    def __init__(self, frame: pd.DataFrame, source: str | Path = "the table"):
        _check(frame, source)
        self.frame = frame.set_index("arch")

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Benchmark":
        """The table in `path`, by default the one in the data root. Raises MissingData, DamagedData."""
        path = data_root() / FILE_NAME if path is None else resolve(path)
        if not path.is_file():
            raise MissingData(how_to_get(path))
        try:
            frame = pd.read_csv(path)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise DamagedData(f"{path} is damaged ({error}); convert or copy it again") from error
        return cls(frame, path)

    @classmethod
    def load_if_available(cls) -> tuple["Benchmark | None", str]:
        """The table in the data root, or None and the reason: it is not there, or damaged."""
        try:
            return cls.load(), ""
        except (MissingData, DamagedData) as error:
            return None, str(error)

    def accuracy(self, genotype: Nb201Genotype, dataset: str, split: str) -> float:
        """Accuracy in per cent on a data set of `DATASETS` and a split of `SPLITS`."""
        return float(self.frame.at[str(genotype), f"{dataset}_{split}"])

    def optimum(self, dataset: str, split: str) -> tuple[Nb201Genotype, float]:
        """The best cell and its accuracy in per cent; of equal ones the benchmark's first."""
        column = self.frame[f"{dataset}_{split}"]
        return Nb201Genotype.parse(column.idxmax()), float(column.max())

    def ranks(self, accuracies: ArrayLike, dataset: str, split: str) -> tuple[NDArray, NDArray]:
        """The ranks (N,) of accuracies (N,) in per cent, and the shares (N,) of all cells below, as in Standing."""
        ordered = np.sort(self.frame[f"{dataset}_{split}"].to_numpy())
        above = len(ordered) - np.searchsorted(ordered, accuracies, side="right")
        return 1 + above, 100 * np.searchsorted(ordered, accuracies, side="left") / len(ordered)

    def standing(self, accuracy_pct: float, dataset: str, split: str) -> Standing:
        """The standing of a cell by its accuracy."""
        (rank,), (below,) = self.ranks([accuracy_pct], dataset, split)
        return Standing(float(accuracy_pct), int(rank), float(below), self.optimum(dataset, split)[1])

    def median_standing(self, accuracies: Iterable[float], dataset: str, split: str) -> Standing | None:
        """The medians over several cells; None where there is none, or where the table lacks the data set."""
        known = [accuracy for accuracy in accuracies if not pd.isna(accuracy)]
        if not known or dataset not in DATASETS:
            return None
        accuracy, rank, below = (float(np.median(values)) for values in (known, *self.ranks(known, dataset, split)))
        return Standing(accuracy, rank, below, self.optimum(dataset, split)[1])


def _check(frame: pd.DataFrame, source: str | Path) -> None:
    if tuple(frame.columns) != COLUMNS:
        missing = ", ".join(column for column in COLUMNS if column not in frame.columns) or "none"
        extra = ", ".join(str(column) for column in frame.columns if column not in COLUMNS) or "none"
        raise DamagedData(f"{source}: expected the columns {', '.join(COLUMNS)} in this order; missing: {missing}; not expected: {extra}")
    known = [str(genotype) for genotype in all_nb201()]
    surplus = frame["arch"].value_counts().sub(pd.Series(1, known), fill_value=0)
    if len(wrong := surplus[surplus != 0]):
        found = f"found {len(frame):,} rows; missing, repeated or no cell is {wrong.index[-1]}"
        raise DamagedData(f"{source}: expected each of the {len(known):,} cells once, {found}")
    if set(frame["index"]) != set(range(len(known))):
        raise DamagedData(f"{source}: the column 'index' must hold each number from 0 to {len(known) - 1} once")
    for column in ACCURACY_COLUMNS:
        values = pd.to_numeric(frame[column], errors="coerce")
        wrong = frame.loc[~values.between(0, 100)]  # NaN is not between
        if len(wrong):
            arch, value = wrong.iloc[0]["arch"], wrong.iloc[0][column]
            raise DamagedData(f"{source}: {column} of {arch} is {value!r}, not an accuracy in per cent (0 to 100)")
