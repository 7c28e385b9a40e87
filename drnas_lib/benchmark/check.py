"""A table of NAS-Bench-201 beside the official files: the largest difference, and the first cells that differ."""

import pandas as pd

from drnas_lib.benchmark.convert import DECIMALS

SHOWN = 5  # cells that are named
ROUNDING = 1.01 * 10**-DECIMALS  # points of a per cent: the most that rounding changes


def differences(table: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """A row for every number of a cell, in the order of the official index; both frames are those of a Benchmark.

    Columns arch, column, table, official, difference: table - official, in points of a per cent; of the index in whole numbers.
    """
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
