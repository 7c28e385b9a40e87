"""The strength lambda of the regulariser: accuracy of the cell and eigenvalues for each lambda (Table 5 and Figure 5)."""

import math
from dataclasses import astuple

import pandas as pd

from drnas_lib.benchmark.table import DATASETS, Benchmark, Standing, place
from drnas_lib.collection.studies.hessian import Protocol, study_all
from drnas_lib.collection.views.published import paper_table
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.collection.views.tables import mean_std_text
from drnas_lib.genotype import Nb201Genotype

UNKNOWN = Standing(math.nan, math.nan, math.nan, math.nan)


def accuracies(folders: list[str]) -> pd.DataFrame:
    """A row for each run: lam, seed, regulariser, genotype, and the standing of its cell.

    Columns of the standing: test_acc_pct, rank, below_pct, best_pct (see benchmark.Standing), on the data set `accuracy_on`: the one
    searched, or cifar10 where the benchmark does not have that one. NaN without the benchmark's table; `unknown` says how to get it.
    """
    rows, (table, unknown) = [], Benchmark.load_if_available()
    for folder in folders:
        report = SearchReport.read(folder)
        settings, cell = report.record["parameters"], report.genotype
        on, standing = report.dataset if report.dataset in DATASETS else DATASETS[0], UNKNOWN
        if table is not None and isinstance(cell, Nb201Genotype):
            standing = table.standing(table.accuracy(cell, on, "test"), on, "test")
        of_search = {name: settings[name] for name in ("lam", "seed", "regulariser")} | {"accuracy_on": on}
        judged = dict(zip(("test_acc_pct", "rank", "below_pct", "best_pct"), astuple(standing)))
        rows.append(of_search | judged | {"unknown": unknown, "genotype": str(cell)})
    return pd.DataFrame(rows)


def eigenvalues(folders: list[str], protocol: Protocol, device: str = "auto") -> pd.DataFrame:
    """hessian.study_all without the ridge, since with it the curves would show lambda and little else."""
    table = study_all(folders, protocol, device)
    return table.assign(dominant=table.dominant - table.ridge, least=table.least - table.ridge, ridge=0.0)


def beside_paper(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each lambda: our mean accuracy, deviation, median rank, median share of cells below, n and seeds; the paper's accuracy."""
    ours = runs.groupby("lam").agg(
        ours_mean_pct=("test_acc_pct", "mean"),
        ours_std_pct=("test_acc_pct", "std"),
        median_rank=("rank", "median"),
        below_pct=("below_pct", "median"),
        runs=("seed", "size"),
        seeds=("seed", list),
    )
    paper = pd.DataFrame(paper_table(5)["rows"]).set_index("lam")
    return ours.join(paper.rename(columns={"test_accuracy_pct": "paper_pct"}))


def conclusion(runs: pd.DataFrame, reduced: list[str]) -> str:
    """The best and worst lambda, or the only one, in sentences."""
    if runs.test_acc_pct.isna().all():
        return f"**How good these cells are is unknown here:** {runs.unknown.iloc[0]}"
    by_lam = runs.groupby("lam")
    ours, std, places = by_lam.test_acc_pct.mean(), by_lam.test_acc_pct.std(), by_lam[["rank", "below_pct"]].median()
    with_accuracy = lambda lam: f"λ = {lam:g} with {mean_std_text(ours[lam], std[lam])} % ({place(*places.loc[lam])})"
    best, worst, n = with_accuracy(ours.idxmax()), with_accuracy(ours.idxmin()), by_lam.seed.size().min()
    found = (
        f"Best is {best}, worst {worst}, {ours.max() - ours.min():.2f} points apart"
        if len(ours) > 1
        else f"The only strength here is {best}"
    )
    said = (
        f"{found}. The best cell of all has {runs.best_pct.iloc[0]:.2f} % on {runs.accuracy_on.iloc[0]}. Each λ has {n} "
        f"{'seed' if n == 1 else 'seeds (mean ± standard deviation; ranks are medians)'}; the regulariser is {runs.regulariser.iloc[0]}."
    )
    if len(ours) > 1:
        said += " In the paper every λ from 0.001 to 0.01 reaches 94.36 %, and none falls below 93.76 %."
    return f"**{said}**" + (f" These were reduced runs ({'; '.join(reduced)}), not the paper's." if reduced else "")


def eigenvalue_sentence(table: pd.DataFrame) -> str:
    """The dominant eigenvalue after the last epoch for each lambda, in a sentence."""
    last = table[table.epoch == table.epoch.max()].groupby("lam").dominant.mean()
    parts = ", ".join(f"{value:.4g} at λ = {lam:g}" for lam, value in last.items())
    said = f"After the last epoch the dominant eigenvalue of the Hessian of the loss, mean over the seeds, is {parts}."
    return f"**{said} The paper draws Figure 5 and states no values.**"
