"""The study behind `make search`: for every seed the found cell beside random cells and all-skip, trained by the same recipe."""

from pathlib import Path

import pandas as pd

from drnas_lib.collection.studies.config import MainJobConfig
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, environment, resolve, write_csv
from drnas_lib.search.trained_cells import ALL_SKIP, FOUND, MEDIAN

TABLE = "seeds.csv"


def table(folders: list[str]) -> pd.DataFrame:
    """A row for each search: accuracies in % (means over training seeds), difference to the median random cell and the noise of that."""
    return pd.DataFrame([_row(SearchReport.read(folder)) for folder in folders])


def _row(report: SearchReport) -> dict:
    cells, metrics = report.trained_cells, report.record["metrics"]
    found, random = cells.mean(FOUND), [cells.mean(cell) for cell in cells.random]
    return {
        "seed": report.record["parameters"]["seed"],
        "found_pct": found,
        "rank": cells.rank,
        "of_cells": len(random) + 1,
        "random_least_pct": min(random),
        "random_median_pct": cells.mean(MEDIAN),
        "random_most_pct": max(random),
        "above_median_points": found - cells.mean(MEDIAN),
        "noise_points": cells.noise(MEDIAN),
        "all_skip_pct": cells.mean(ALL_SKIP),
        "search_s": metrics["search_s"],
        "evaluation_s": metrics["evaluation_s"],
        "cell": str(report.genotype),
    }


def sentence(rows: pd.DataFrame) -> str:
    """The mean difference between the found cells and the median of their random cells, over the seeds of the search."""
    above, noise, n = rows.above_median_points, rows.noise_points, len(rows)
    mean = f"{above.mean():+.1f}" + (f" ± {above.sem():.1f}" if n > 1 else "")
    return (
        f"**Over {n} {'seed' if n == 1 else 'seeds'} of the search the difference between the found cell and the median of the random "
        f"cells trained beside it is {mean} points{' (mean and standard error)' if n > 1 else ''}. The found cell is above the median in "
        f"{(above > 0).sum()} of {n}, by more than the noise in {(above > noise).sum()}; it is below by more than the noise in "
        f"{(-above > noise).sum()}. Its mean rank is {rows['rank'].mean():.1f} of {rows.of_cells.max()}, "
        f"its mean accuracy {rows.found_pct.mean():.1f} %; all-skip has {rows.all_skip_pct.mean():.1f} %, and random cells lie between "
        f"{rows.random_least_pct.min():.1f} and {rows.random_most_pct.max():.1f} %.**"
    )


def write_seeds_table(rows: pd.DataFrame, config: MainJobConfig) -> Path:
    """Write the table and its sealed record to the folder `<tables>/<name of the searches>/`, and return it. Raises RecordError."""
    searches = config.searches()
    folder, first = resolve(config.tables) / searches[0].stem, integrity.record(RunFolder(searches[0].folder))
    write_csv(folder / TABLE, rows.to_dict("records"))
    record = {
        "parameters": config.model_dump(),
        "search": {name: value for name, value in searches[0].as_dict().items() if name not in ("seed", "folder")},
        "seeds": rows.seed.tolist(),
        "metrics": {"search_s": rows.search_s.sum(), "evaluation_s": rows.evaluation_s.sum()},
        **{name: first[name] for name in ("data", "device", "threads")},
        "environment": environment(),
        "environment_of_the_first_search": first["environment"],
    }
    integrity.write(folder / integrity.RECORD, record, beside=(TABLE,))
    return folder
