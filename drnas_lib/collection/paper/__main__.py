"""The report in a terminal: python -m drnas_lib.collection.paper [--missing] [--results FOLDER]."""

import argparse
import sys
from collections.abc import Sequence

from drnas_lib.collection.paper.report import Report
from drnas_lib.runs.files import RecordError


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.collection.paper", description="The paper beside what was run here.")
    parser.add_argument("--missing", action="store_true", help="what has no full-length result, and the papermill commands that make it")
    parser.add_argument("--results", default="results", help="folder of results (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        report = Report.read(options.results)
    except RecordError as error:
        sys.exit(f"error: {error}")
    print("\n".join([*report.damaged, report.missing()]) if options.missing else report.text())


if __name__ == "__main__":
    main()
