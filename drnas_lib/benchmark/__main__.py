"""The commands of the benchmark table: python -m drnas_lib.benchmark convert or check."""

import argparse
import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from drnas_lib.benchmark.convert import DECIMALS, KNOWN, rows
from drnas_lib.benchmark.table import COLUMNS, FILE_NAME, Benchmark
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.runs.files import RecordError, atomic_write, data_root

SHOWN = 5  # cells that are named
ROUNDING = 1.01 * 10**-DECIMALS  # points of a per cent: the most that rounding changes


def _official(options: argparse.Namespace) -> pd.DataFrame:
    """The frame of a Benchmark from the official files; progress goes to stderr. Raises DamagedData."""
    cells = []
    for row in rows(options.source, options.trust_pickle):
        cells.append(row)
        if len(cells) % 1000 == 0:
            print(f"{len(cells):,} cells read", file=sys.stderr, flush=True)
    return Benchmark(pd.DataFrame(cells, columns=COLUMNS), options.source).frame


def _convert(options: argparse.Namespace) -> str:
    frame = _official(options).reset_index()[list(COLUMNS)]
    text = frame.to_csv(index=False, lineterminator="\n")
    atomic_write(options.out, gzip.compress(text.encode(), mtime=0))  # no time stamp: equal tables are equal files
    return f"{options.out}: {len(frame):,} cells"


def _compare(options: argparse.Namespace) -> str:
    agree, report = verdict(differences(Benchmark.load(options.table).frame, _official(options)))
    report = f"{options.table} against {options.source}: {report}"
    return report if agree else sys.exit(report)


def differences(table: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """A row (arch, column, table, official, difference in points of a per cent) for every number, in the order of the official index."""
    archs = official.sort_values("index").index
    both = pd.DataFrame({"table": table.loc[archs].stack(), "official": official.loc[archs].stack()})
    both = both.rename_axis(["arch", "column"]).reset_index()
    return both.assign(difference=both.table - both.official)


def verdict(found: pd.DataFrame) -> tuple[bool, str]:
    """Whether table and official files agree but for rounding, and a report of the `differences` found."""
    largest = found.loc[found.difference.abs().idxmax()]
    report = f"The largest difference is {abs(largest.difference):.4f}"
    wrong = found[found.difference.abs() > ROUNDING]
    if wrong.empty:
        return True, f"All {found.arch.nunique():,} cells agree. {report}."
    cells = wrong.arch.drop_duplicates()
    of_first = wrong[wrong.arch.isin(cells.head(SHOWN))]
    head = f"{len(cells):,} of {found.arch.nunique():,} cells differ. {report}, in {largest.column} of {largest.arch}. The first:"
    lines = [f"  {row.arch} {row.column}: {row.table:.10g}, officially {row.official:.10g}" for row in of_first.itertuples()]
    more = [f"  and {len(cells) - SHOWN:,} more cells"] if len(cells) > SHOWN else []
    return False, "\n".join([head, *lines, *more])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exits with a message where the files cannot be read, and where table and official files differ."""
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.benchmark", description="The NAS-Bench-201 table.")
    commands = parser.add_subparsers(required=True)
    convert = commands.add_parser("convert", help="make the table from the official files")
    compare = commands.add_parser("check", help="compare a table with the official files")
    convert.set_defaults(does=_convert)
    compare.set_defaults(does=_compare)
    table = data_root() / FILE_NAME
    for command in (convert, compare):
        command.add_argument("--source", type=Path, required=True, help=KNOWN)
        command.add_argument("--trust-pickle", action="store_true", help="the source is official: run the pickles in it")
    convert.add_argument("--out", type=Path, default=table, help="the table (default: %(default)s)")
    compare.add_argument("--table", type=Path, default=table, help="the table (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        print(options.does(options))
    except (MissingData, DamagedData, RecordError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
