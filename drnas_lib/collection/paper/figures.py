"""Figures 1 to 5 drawn from what finished runs left behind: full runs where there are any, else reduced ones, labelled so."""

import textwrap
from collections.abc import Sequence

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure

from drnas_lib.collection.paper.measured import Measured
from drnas_lib.collection.paper.table_style import STYLES
from drnas_lib.collection.paper.verdicts import Finding, runs
from drnas_lib.collection.views import study_plots
from drnas_lib.collection.views.cell_plots import draw_cell
from drnas_lib.collection.views.published import paper_table, paper_text
from drnas_lib.collection.views.style import legend, new_figure
from drnas_lib.config.cells import find
from drnas_lib.runs.files import read_json


def summary(counts: pd.DataFrame) -> Figure:
    """A bar for every table and figure: the share of its numbers with each verdict, counts in the bars. See Report.counts."""
    figure, ((ax,),) = new_figure(width=9.0, height=0.34 * len(counts) + 1.2)
    shares, left = counts.div(counts.sum(axis=1), axis=0) * 100, pd.Series(0.0, index=counts.index)
    box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.85}
    for verdict, style in STYLES.items():
        share = shares[verdict.value]
        ax.barh(counts.index, share, 0.72, left, label=verdict.value, color=style.colour, hatch=style.hatch, ec="white", lw=0.6)
        for place, count in counts[verdict.value].items():
            if count:
                ax.text(left[place] + share[place] / 2, place, str(count), ha="center", va="center", fontsize=8, bbox=box)
        left = left + share
    ax.set(xlim=(0, 100), xlabel="share of the numbers (%); how many in the bars")
    ax.invert_yaxis()
    legend(ax, "above", ncols=len(STYLES), fontsize=9)
    return figure


def draw(number: int, found: Sequence[Finding]) -> Figure | Markdown:
    """Figure `number` of the paper from the findings of its parts; where nothing was run, a sentence that says so."""
    if cell := found[0].number.entry["cell"]:
        return draw_cell(find(cell).genotype, f"the paper's cell, from params/genotypes/{cell}.json")
    values = _values_to_draw(found)
    if not values:
        return Markdown(f"Figure {number}: not run.")
    return _exploration(values) if number == 1 else _eigenvalues(number, values)


def found_cell(found: Sequence[Finding]) -> Figure | Markdown:
    """The cell that a search of ours found, to be shown beside the published ones of Figures 2 and 3."""
    values = _values_to_draw([finding for finding in found if finding.number.column == "other_edges"])
    if not values:
        return Markdown("A cell of our own: not run.")
    title = f"ours, seed {values[0].seed}: {values[0].value:.0f} edges differ from the published cell{_reduced(values)}"
    return draw_cell(find(runs(values)[0].record["genotype"]).genotype, title)


def _values_to_draw(found: Sequence[Finding]) -> list[Measured]:
    """The values of full runs where one of the parts has any, else those of the laptop scale, else those of another size."""
    of_each = ([m for finding in found for m in getattr(finding, kind)] for kind in ("full", "laptop", "reduced"))
    return next(filter(None, of_each), [])


def _reduced(values: Sequence[Measured]) -> str:
    reasons = " | ".join(dict.fromkeys(measured.reason for measured in values if measured.reason))
    return "\n" + textwrap.fill(f"REDUCED, not comparable: {reasons}", 100) if reasons else ""


def _exploration(values: Sequence[Measured]) -> Figure:
    run = runs(values)[0]
    optima = next(row for row in paper_table(4)["rows"] if row["method"] == "optimal")
    draws, cells = run.beside["exploration"], read_json(run.folder / "exploration.json")["samples"]
    figure = study_plots.exploration_range(draws, {d: optima[f"{d}_test"]["mean"] for d in draws.dataset.unique()}, cells)
    figure.suptitle(f"searched on {run.dataset}, seed {run.seed}{_reduced(values)}", fontsize=9)
    return figure


def _eigenvalues(number: int, values: Sequence[Measured]) -> Figure:
    """Figure 4, by method, or 5, by λ."""
    parts = [(run, run.parameters) for run in runs(values)]
    table = pd.concat(
        [run.beside["eigenvalues"].assign(method=given["method"], lam=given["lam"], run=str(run.folder)) for run, given in parts],
        ignore_index=True,
    )
    caption = f"Hessian in η, {table.images.max()} validation images{_reduced(values)}"
    if number == 5:
        return study_plots.eigenvalue_trajectory(table.assign(dominant=table.dominant - table.ridge), caption, study_plots.by_lam)
    return study_plots.eigenvalue_trajectory(
        table, f"λI added to the {caption}", growth=paper_text()["figure4"]["eigenvalue_growth_of_darts"]
    )
