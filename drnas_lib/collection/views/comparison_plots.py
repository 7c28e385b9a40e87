"""Figures of the comparisons: rows in, a matplotlib Figure out."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from drnas_lib.collection.views.style import OTHER, OURS, REFERENCE, legend, new_figure
from drnas_lib.collection.views.tables import by_stage

MANY = 20  # seeds, from which on dots are small


def short(label: str) -> str:
    """'GDAS (Dong & Yang, 2019)' -> 'GDAS'; which order of DARTS stays."""
    return " (".join(label.split(" (")[: 2 if label.startswith("DARTS (") else 1])


def seeds_against_optimum(runs: pd.DataFrame, paper: list[dict], labels: list[str], zoom: tuple[float, float] | None = None) -> Figure:
    """Test accuracy of every seed, a panel per data set, a line per method: ours as dots (hollow: reduced), the paper's as diamonds.

    `zoom` is a range in per cent that a second panel of each data set enlarges.
    """
    datasets, published = runs.dataset.unique(), {row["method"]: row for row in paper}
    labels = [label for label in labels if label != "optimal"]
    panels = [(dataset, limits) for dataset in datasets for limits in ((None, zoom) if zoom else (None,))]
    figure, axes = new_figure(1, len(panels), 3.6 * len(panels) + 3.6, 0.36 * len(labels) + 1.4)
    for ax, (dataset, limits) in zip(axes[0], panels):
        for place, label in enumerate(labels):
            if value := published.get(label, {}).get(f"{dataset}_test"):
                ax.errorbar(value["mean"], place, xerr=value["std"] or 0, fmt="D", color=OTHER, ms=5, lw=1.2, capsize=2.5, zorder=3)
            rows = runs[(runs.label == label) & (runs.dataset == dataset)]
            for reduced, seeds in rows.groupby(rows.reduced != ""):
                heights = place + (np.linspace(-0.18, 0.18, len(seeds)) if len(seeds) > 1 else np.zeros(1))  # dots would hide each other
                size: dict[str, Any] = dict(ms=6) if len(seeds) < MANY else dict(ms=2.5, alpha=0.35)
                ax.plot(seeds.test_acc_pct, heights, "o", mfc="none" if reduced else OURS, mec=OURS, **size)
        if best := published["optimal"].get(f"{dataset}_test"):
            ax.axvline(best["mean"], color=REFERENCE, ls="--", lw=1.2, zorder=0)
        enlarged = ", enlarged" if limits else ""
        ax.set(xlabel=f"{dataset} test accuracy (%){enlarged}", xlim=limits, ylim=(len(labels) - 0.5, -0.5))
        ax.set_yticks(range(len(labels)), [*map(short, labels)] if ax is axes[0, 0] else [])
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
    in_paper, reduced = any(f"{dataset}_test" in paper[0] for dataset in datasets), runs.reduced != ""
    key = {  # label -> how it looks, and whether it is there
        "ours, one seed": (dict(color=OURS, marker="o"), not reduced.all()),
        "ours, one seed of a smaller search": (dict(mfc="none", mec=OURS, marker="o"), reduced.any()),
        "paper, mean ± std": (dict(color=OTHER, marker="D"), in_paper),
        "best cell of the benchmark": (dict(color=REFERENCE, ls="--"), in_paper),
    }
    handles = [Line2D([], [], **{"ls": ""} | look, label=label) for label, (look, there) in key.items() if there]
    legend(axes[0, -1], "right", handles=handles)
    return figure


def _memory_column(runs: pd.DataFrame) -> tuple[str, str]:
    """Column and label of the memory: the peak of a GPU where one was measured."""
    gpu = runs.gpu_peak_memory_mb.notna().any()
    return ("gpu_peak_memory_mb", "GPU peak memory (MB)") if gpu else ("activation_mb", "activations kept by a step (MB)")


def cost(runs: pd.DataFrame, labels: list[str]) -> Figure:
    """Mean seconds and memory of a search by method, reduced or not, a bar per data set."""
    labels, datasets = [label for label in labels if label in set(runs.label)], runs.dataset.unique()
    figure, axes = new_figure(1, 2, 9.5, 0.36 * len(labels) + 1.3)
    for ax, (column, name) in zip(axes[0], (("search_s", "seconds of a search"), _memory_column(runs))):
        means = runs.pivot_table(index="label", columns="dataset", values=column, sort=False).reindex(labels)[datasets]
        means.rename(index=short).plot.barh(ax=ax, color=[OURS, OTHER, REFERENCE, "0.6"], width=0.8, legend=False)
        for bars in ax.containers:
            ax.bar_label(
                bars, fmt=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value else "", padding=3, fontsize=8
            )
        ax.set(xlabel=name, ylabel="")
        ax.margins(x=0.15)
        ax.invert_yaxis()
    axes[0, 1].set_yticks([])
    if len(datasets) > 1:
        legend(axes[0, 1], "right")
    return figure


def memory_by_stage(runs: pd.DataFrame, paper: list[dict]) -> Figure:
    """A bar for every stage of every search, the mean over seeds; the paper's as a diamond where ours is a GPU's peak of full runs too."""
    (key, name), stages = _memory_column(runs), by_stage(runs)
    several = stages.duplicated(["dataset", "row"], keep=False)
    labels = stages.dataset + ", " + stages.label + (", stage " + stages.stage.astype(str)).where(several, "")
    figure, ((ax,),) = new_figure(width=8, height=0.34 * len(stages) + 1.2)
    bars = ax.barh(labels, stages[key], color=[OTHER if row == "ours" else OURS for row in stages.row])
    ax.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    if key == "gpu_peak_memory_mb" and (runs.reduced == "").all():
        published = {(row["dataset"], str(row["k"])): row["gpu_memory_mb"] for row in paper}
        ax.plot([published.get(pair, np.nan) for pair in zip(stages.dataset, stages.row)], labels, "D", color=REFERENCE, label="paper")
        legend(ax, "right")
    ax.set(xlabel=name)
    ax.margins(x=0.12)
    ax.invert_yaxis()
    return figure
