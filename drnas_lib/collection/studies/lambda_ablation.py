"""How strongly eta is pulled to its anchor: cell and curvature for each lambda (Table 5 and Figure 5)."""

import math

import pandas as pd

from drnas_lib.benchmark.table import DATASETS, Benchmark, Standing, place
from drnas_lib.collection.studies import eigenvalues as hessian_study
from drnas_lib.collection.studies.eigenvalues import Protocol
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.runs.records import PROJECT, read_json

PAPER = PROJECT / "params" / "paper"
UNKNOWN = Standing(math.nan, math.nan, math.nan, math.nan)


def accuracies(folders: list[str]) -> pd.DataFrame:
    """A row for each run: lam, seed, regulariser, genotype, entropy of the mean mixture, and of its cell test accuracy in %, rank among all
    cells and share of them below it in % (see benchmark.Standing).

    Of the data set that was searched, or of cifar10 where the benchmark does not know that one: the column `accuracy_on` says which.
    NaN where the benchmark's table is not here, and the column `unknown` says how to get it.
    """
    rows, (table, unknown) = [], Benchmark.found()
    for folder in folders:
        report = SearchReport.read(folder)
        settings, last = report.record["parameters"], report.history.iloc[-1]
        on = report.dataset if report.dataset in DATASETS else DATASETS[0]
        standing = table.standing(table.accuracy(report.genotype, on, "test"), on, "test") if table else UNKNOWN
        rows.append(
            {
                "lam": settings["lam"],
                "seed": settings["seed"],
                "regulariser": settings["regulariser"],
                "mean_entropy_nats": last.mean_entropy_nats,
                "beta_max": last.beta_max,
                "accuracy_on": on,
                "test_acc_pct": standing.accuracy_pct,
                "rank": standing.rank,
                "below_pct": standing.below_pct,
                "best_pct": standing.best_pct,
                "unknown": unknown,
                "genotype": str(report.genotype),
            }
        )
    return pd.DataFrame(rows)


def eigenvalues(folders: list[str], protocol: Protocol, device: str = "auto") -> pd.DataFrame:
    """hessian_study.study of every run, of the loss alone: with lambda added the curves would show lambda and little else."""
    table = hessian_study.study_all(folders, protocol, device)
    return table.assign(dominant=table.dominant - table.ridge, least=table.least - table.ridge, ridge=0.0)


def paper() -> pd.DataFrame:
    """Table 5: columns lam, test_accuracy_pct (CIFAR-10)."""
    return pd.DataFrame(read_json(PAPER / "table5.json")["rows"])


def beside_paper(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each lambda: ours as mean, deviation, median rank, median share of cells below, n and seeds, and the paper's accuracy."""
    ours = runs.groupby("lam").agg(
        ours_mean_pct=("test_acc_pct", "mean"),
        ours_std_pct=("test_acc_pct", "std"),
        median_rank=("rank", "median"),
        below_pct=("below_pct", "median"),
        runs=("seed", "size"),
        seeds=("seed", list),
    )
    return ours.join(paper().set_index("lam").rename(columns={"test_accuracy_pct": "paper_pct"}))


def conclusion(runs: pd.DataFrame, reduced: list[str]) -> str:
    """The best and worst lambda, in sentences."""
    if runs.test_acc_pct.isna().all():
        return f"**How good these cells are is unknown here:** {runs.unknown.iloc[0]}"
    by_lam = runs.groupby("lam")
    ours, places = by_lam.test_acc_pct.mean(), by_lam[["rank", "below_pct"]].median()
    best, worst = (f"λ = {lam:g} with {ours[lam]:.2f} % ({place(*places.loc[lam])})" for lam in (ours.idxmax(), ours.idxmin()))
    spread, n = ours.max() - ours.min(), runs.groupby("lam").seed.size().min()
    said = (
        f"Best is {best}, worst {worst}; the best cell of all has {runs.best_pct.iloc[0]:.2f} % on {runs.accuracy_on.iloc[0]} "
        f"({spread:.2f} points apart, n = {n} seeds each, ranks are their medians; regulariser {runs.regulariser.iloc[0]}). "
        "In the paper every λ from 0.001 to 0.01 reaches 94.36 %, and none falls below 93.76 %."
    )
    return f"**{said}**" + (f" These were reduced runs ({'; '.join(reduced)}), not the paper's." if reduced else "")


def curvature(table: pd.DataFrame) -> str:
    """Where the eigenvalue ends for the smallest and the largest lambda, in a sentence."""
    last = table[table.epoch == table.epoch.max()].groupby("lam").dominant.mean()
    parts = ", ".join(f"{value:.4g} at λ = {lam:g}" for lam, value in last.items())
    return f"**After the last epoch the dominant eigenvalue of the loss is {parts}. The paper draws Figure 5 and states no values.**"
