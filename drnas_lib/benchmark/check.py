"""A table of NAS-Bench-201 beside the official files: the largest difference, and the first cells that differ."""

import pandas as pd

from drnas_lib.benchmark.convert import DECIMALS

SHOWN = 5  # cells that are named
ROUNDING = 1.01 * 10**-DECIMALS  # points of a per cent: what rounding may do to the last decimal


def differences(table: pd.DataFrame, official: pd.DataFrame) -> pd.DataFrame:
    """A row for every number of a cell, by the official index; both frames have benchmark.COLUMNS and the same cells.

    Columns arch, column, table, official, difference: table - official, in points of a per cent; of the index in whole numbers.
    """
    ours, theirs = (of.set_index("arch").loc[official.sort_values("index").arch] for of in (table, official))
    both = pd.DataFrame({"table": ours.stack(), "official": theirs.stack()}).rename_axis(["arch", "column"]).reset_index()
    return both.assign(difference=both.table - both.official)


def verdict(found: pd.DataFrame) -> tuple[bool, str]:
    """Whether table and official files agree but for rounding, and what `differences` found in words."""
    largest = found.loc[found.difference.abs().idxmax()]
    said = f"The largest difference is {abs(largest.difference):.4f}"
    wrong = found[found.difference.abs() > ROUNDING]
    if wrong.empty:
        return True, f"All {found.arch.nunique():,} cells agree. {said}."
    cells = wrong.arch.drop_duplicates()
    of_first = wrong[wrong.arch.isin(cells.head(SHOWN))]
    head = f"{len(cells):,} of {found.arch.nunique():,} cells differ. {said}, in {largest.column} of {largest.arch}. The first:"
    lines = [f"  {row.arch} {row.column}: {row.table:.10g}, officially {row.official:.10g}" for row in of_first.itertuples()]
    more = [f"  and {len(cells) - SHOWN:,} more cells"] if len(cells) > SHOWN else []
    return False, "\n".join([head, *lines, *more])
