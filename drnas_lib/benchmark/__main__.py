"""The commands of the benchmark table: python -m drnas_lib.benchmark convert or check."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from drnas_lib.benchmark import check
from drnas_lib.benchmark.convert import KNOWN, ConversionError
from drnas_lib.benchmark.table import FILE_NAME, Benchmark, BenchmarkError, MissingBenchmark, official, write
from drnas_lib.runs.records import RecordError, data_root


def _convert(options: argparse.Namespace) -> str:
    frame = official(options.source, options.trust_pickle, _progress)
    write(frame, options.out)
    return f"{options.out}: {len(frame):,} cells"


def _compare(options: argparse.Namespace) -> str:
    table = Benchmark.load(options.table).frame.reset_index()
    found = check.differences(table, official(options.source, options.trust_pickle, _progress))
    agree, said = check.verdict(found)
    said = f"{options.table} against {options.source}: {said}"
    return said if agree else sys.exit(said)


def _progress(cells: int) -> None:
    if cells % 1000 == 0:
        print(f"{cells:,} cells read", file=sys.stderr, flush=True)


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
    except (ConversionError, MissingBenchmark, BenchmarkError, RecordError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
