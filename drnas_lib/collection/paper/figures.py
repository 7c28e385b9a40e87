"""Figures 1 to 5 drawn from what finished runs left behind: full runs where there are any, else reduced ones, labelled so."""

import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drnas_lib.collection.paper import numbers as paper
from drnas_lib.collection.paper.findings import Finding
from drnas_lib.collection.paper.verdict import Verdict
from drnas_lib.collection.views import study_plots
from drnas_lib.collection.views.cell_plots import draw_cell
from drnas_lib.collection.views.style import new_figure, notice
from drnas_lib.config.cells import find
from drnas_lib.genotype import genotype_from_json
from drnas_lib.runs.index import Measured
from drnas_lib.runs.records import RecordError, read_json

COLOURS = {  # apart for the colour-blind too; the hatches say it once more
    Verdict.REPRODUCED: ("#0072b2", ""),
    Verdict.WITHIN_SPREAD: ("#56b4e9", "//"),
    Verdict.NOT_REPRODUCED: ("#d55e00", "xx"),
    Verdict.REDUCED_ONLY: ("#f0e442", ".."),
    Verdict.NOT_RUN: ("#d9d9d9", ""),
}


def summary(counts: pd.DataFrame) -> Figure:
    """A bar for every table and figure: the share of its numbers with each verdict, counts in the bars. See Report.counts."""
    figure, ((ax,),) = new_figure(width=9.0, height=0.34 * len(counts) + 1.2)
    shares, left = counts.div(counts.sum(axis=1), axis=0) * 100, pd.Series(0.0, index=counts.index)
    for verdict, (colour, hatch) in COLOURS.items():
        share = shares[verdict.value]
        ax.barh(counts.index, share, left=left, color=colour, hatch=hatch, ec="white", lw=0.6, height=0.72, label=verdict.value)
        _numbers(ax, counts[verdict.value], share, left)
        left = left + share
    ax.set(xlim=(0, 100), xlabel="share of the numbers (%); how many in the bars")
    ax.invert_yaxis()
    ax.legend(ncols=len(COLOURS), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=9)
    return figure


def _numbers(ax: Axes, counts: pd.Series, share: pd.Series, left: pd.Series) -> None:
    for place, count in counts.items():
        if count:
            box = dict(boxstyle="round,pad=0.12", fc="white", ec="none", alpha=0.85)
            ax.text(left[place] + share[place] / 2, place, str(count), ha="center", va="center", fontsize=8, bbox=box)


def draw(number: int, found: Sequence[Finding]) -> Figure:
    """Figure `number` of the paper as far as the findings of its parts allow; else a panel that says that it was not run."""
    return DRAWN[number](found)


def found_cell(found: Sequence[Finding]) -> Figure:
    """Beside Figures 2 and 3, the published cells: the cell that a search of ours found."""
    values = _shown([finding for finding in found if finding.cell.column == "other_edges"])
    if not values:
        return notice("A cell of our own: not run.")
    try:
        genotype = genotype_from_json(read_json(values[0].run.folder / "genotype.json"))
    except RecordError as error:
        return notice(str(error))
    return draw_cell(genotype, f"ours, seed {values[0].seed}: {values[0].value:.0f} edges differ from the published cell{_less(values)}")


def _shown(found: Sequence[Finding]) -> list[Measured]:
    """The values of full runs where one of the parts has any, else those of the laptop scale, else those of another size."""
    of_each = ([m for finding in found for m in getattr(finding, kind)] for kind in ("full", "laptop", "reduced"))
    return next(filter(None, of_each), [])


def _less(values: Sequence[Measured]) -> str:
    reasons = " | ".join(dict.fromkeys(measured.less for measured in values if measured.less))
    return "\n" + textwrap.fill(f"REDUCED, not comparable: {reasons}", 100) if reasons else ""


def _exploration(found: Sequence[Finding]) -> Figure:
    values = _shown(found)
    if not values:
        return notice("Figure 1: not run.")
    run = values[0].run
    optima = next(row for row in paper.table(4)["rows"] if row["method"] == "optimal")
    drawn = run.beside["exploration"]
    figure = study_plots.exploration_range(drawn, {d: optima[f"{d}_test"]["mean"] for d in drawn.dataset.unique()}, _draws(run))
    figure.suptitle(f"searched on {run.dataset}, seed {run.seed}{_less(values)}", fontsize=9)
    return figure


def _draws(run) -> int:
    try:
        return read_json(run.folder / "exploration.json")["samples"]
    except RecordError:
        return paper.text()["figure1"]["sampled_architectures_per_epoch"]


def _published_cell(found: Sequence[Finding]) -> Figure:
    cell = next(finding.cell.entry["cell"] for finding in found)
    return draw_cell(find(cell).genotype, f"the paper's cell, from params/genotypes/{cell}.json")


def _trajectories(found: Sequence[Finding]) -> Figure:
    values = _shown(found)
    if not values:
        return notice("Figure 4: not run.")
    parts = [m.run.beside["eigenvalues"].assign(method=m.run.parameters["method"], run=str(m.run.folder)) for m in values]
    table = pd.concat(parts, ignore_index=True)
    return study_plots.eigenvalue_trajectory(table, _caption(table, values), paper.text()["figure4"]["eigenvalue_growth_of_darts"])


def _lambdas(found: Sequence[Finding]) -> Figure:
    values = _shown(found)
    if not values:
        return notice("Figure 5: not run.")
    parts = [m.run.beside["eigenvalues"].assign(lam=m.run.parameters["lam"]) for m in values]
    table = pd.concat(parts, ignore_index=True)
    return study_plots.lambda_trajectories(table.assign(dominant=table.dominant - table.ridge), _caption(table, values))


def _caption(table: pd.DataFrame, values: Sequence[Measured]) -> str:
    return f"Hessian in η, {table.images.max()} validation images{_less(values)}"


DRAWN = {1: _exploration, 2: _published_cell, 3: _published_cell, 4: _trajectories, 5: _lambdas}
