"""NAS-Bench-201 as a table: what each of the 15,625 cells reaches when it is trained. Load it, look cells up.

Dong & Yang, *NAS-Bench-201* (ICLR 2020). Accuracies are in per cent, means over the benchmark's seeds: `valid` and
`test` after the 200-epoch schedule, `valid_12` on the validation set after the 12-epoch schedule. Made once by

    python -m drnas_lib.benchmark convert --source FILE_OR_FOLDER --trust-pickle
"""

import argparse
import gzip
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from drnas_lib.benchmark_convert import ConversionError, rows
from drnas_lib.errors import Told
from drnas_lib.genotype import GenotypeError, Nb201Genotype, all_nb201
from drnas_lib.records import RecordError, atomic_write, data_root, resolve

FILE_NAME = "nas_bench_201.csv.gz"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
SPLITS = ("valid", "test", "valid_12")
ACCURACY_COLUMNS = (
    *(f"{dataset}_{split}" for dataset in DATASETS for split in ("valid", "test")),
    *(f"{dataset}_valid_12" for dataset in DATASETS),
)
COLUMNS = ("index", "arch", *ACCURACY_COLUMNS)


class MissingBenchmark(Told, FileNotFoundError):
    """The table is not there. The message says where it was looked for and how to make it."""


class BenchmarkError(Told, ValueError):
    """The table is damaged or is asked for something it does not hold. The message says what and where."""


@dataclass(frozen=True)
class Accuracies:
    """A row of the table, in per cent. `index` is the benchmark's own number of the cell."""

    index: int
    cifar10_valid: float
    cifar10_test: float
    cifar100_valid: float
    cifar100_test: float
    imagenet16_120_valid: float
    imagenet16_120_test: float
    cifar10_valid_12: float
    cifar100_valid_12: float
    imagenet16_120_valid_12: float


class Benchmark:
    """The table of `frame`, columns `COLUMNS`, a row for each of the 15,625 cells. Raises BenchmarkError."""

    def __init__(self, frame: pd.DataFrame, source: str | Path = "the table"):
        _check(frame, source)
        self.frame = frame.set_index("arch")

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Benchmark":
        """The table in `path`, by default the one in the data root. Raises MissingBenchmark, BenchmarkError."""
        path = data_root() / FILE_NAME if path is None else resolve(path)
        if not path.is_file():
            raise MissingBenchmark(
                f"no NAS-Bench-201 table at {path}. Download NAS-Bench-201-v1_1-096897.pth or the NATS-Bench topology "
                "archive (both linked at https://github.com/D-X-Y/NATS-Bench), then run: "
                f"python -m drnas_lib.benchmark convert --source FILE_OR_FOLDER --out {path} --trust-pickle"
            )
        try:
            frame = pd.read_csv(path)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise BenchmarkError(f"{path} is damaged ({error}); convert or copy it again") from error
        return cls(frame, path)

    @classmethod
    def found(cls) -> "Benchmark | None":
        """The table in the data root, None where there is none. Raises BenchmarkError."""
        try:
            return cls.load()
        except MissingBenchmark:
            return None

    def query(self, genotype: Nb201Genotype) -> Accuracies:
        """Everything that the table says about a cell."""
        row = self.frame.loc[str(genotype)]
        return Accuracies(int(row["index"]), *(float(row[column]) for column in ACCURACY_COLUMNS))

    def accuracy(self, genotype: Nb201Genotype, dataset: str, split: str) -> float:
        """Accuracy in per cent on a data set of `DATASETS` and a split of `SPLITS`. Raises BenchmarkError."""
        return float(self.frame.at[str(genotype), _column(dataset, split)])

    def optimum(self, dataset: str, split: str) -> tuple[Nb201Genotype, float]:
        """The best cell and its accuracy in per cent; of equal ones the benchmark's first. Raises BenchmarkError."""
        column = self.frame[_column(dataset, split)]
        return Nb201Genotype.parse(column.idxmax()), float(column.max())


def convert(source: str | Path, out: str | Path, trust_pickle: bool = False) -> Benchmark:
    """Write the table of the official files `source` to `out`. Raises ConversionError, BenchmarkError, RecordError."""
    frame = pd.DataFrame(rows(Path(source), trust_pickle), columns=COLUMNS)
    benchmark = Benchmark(frame, source)  # before writing: a table that cannot be loaded is of no use
    text = frame.to_csv(index=False, lineterminator="\n")
    atomic_write(Path(out), gzip.compress(text.encode(), mtime=0))  # no time stamp: equal tables are equal files
    return benchmark


def _column(dataset: str, split: str) -> str:
    if dataset not in DATASETS:
        raise BenchmarkError(f"NAS-Bench-201 has no data set {dataset!r}; it has {', '.join(DATASETS)}")
    if split not in SPLITS:
        raise BenchmarkError(f"unknown split {split!r}; allowed: {', '.join(SPLITS)}")
    return f"{dataset}_{split}"


def _check(frame: pd.DataFrame, source: str | Path) -> None:
    if tuple(frame.columns) != COLUMNS:
        missing = ", ".join(column for column in COLUMNS if column not in frame.columns) or "none"
        extra = ", ".join(str(column) for column in frame.columns if column not in COLUMNS) or "none"
        raise BenchmarkError(
            f"{source}: expected the columns {', '.join(COLUMNS)} in this order; "
            f"missing: {missing}; not expected: {extra}"
        )
    repeated = frame["arch"][frame["arch"].duplicated()]
    if len(repeated):
        raise BenchmarkError(f"{source}: {len(repeated)} cells appear more than once, the first is {repeated.iloc[0]}")
    known = {str(genotype) for genotype in all_nb201()}
    if len(frame) != len(known):
        raise BenchmarkError(f"{source}: expected {len(known):,} cells, found {len(frame):,}")
    for arch in frame["arch"][~frame["arch"].isin(known)]:
        try:
            Nb201Genotype.parse(str(arch))
        except GenotypeError as error:
            raise BenchmarkError(f"{source}: {error}") from error
    if set(frame["index"]) != set(range(len(known))):
        raise BenchmarkError(f"{source}: the column 'index' must hold each number from 0 to {len(known) - 1} once")
    for column in ACCURACY_COLUMNS:
        values = pd.to_numeric(frame[column], errors="coerce")
        wrong = frame.loc[~values.between(0, 100)]  # NaN is not between
        if len(wrong):
            arch, value = wrong.iloc[0]["arch"], wrong.iloc[0][column]
            raise BenchmarkError(f"{source}: {column} of {arch} is {value!r}, not an accuracy in per cent (0 to 100)")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exits with a message where the files cannot be converted."""
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.benchmark", description="The NAS-Bench-201 table.")
    command = parser.add_subparsers(required=True).add_parser("convert", help="make the table from the official files")
    command.add_argument("--source", type=Path, required=True, help="NAS-Bench-201 .pth, or NATS-Bench topology folder")
    command.add_argument("--out", type=Path, default=data_root() / FILE_NAME, help="the table (default: %(default)s)")
    command.add_argument("--trust-pickle", action="store_true", help="the source is official: run the pickles in it")
    options = parser.parse_args(arguments)
    try:
        benchmark = convert(options.source, options.out, options.trust_pickle)
    except (ConversionError, BenchmarkError, RecordError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"{options.out}: {len(benchmark.frame):,} cells")


if __name__ == "__main__":
    main()
