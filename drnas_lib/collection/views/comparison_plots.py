"""Figures of the comparisons: rows in, a matplotlib Figure out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drnas_lib.collection.views.plots import OTHER, OURS, REFERENCE, new_figure

JITTER = 0.18  # of dots that would lie on each other
MANY = 20  # seeds, from which on dots are small


def short(label: str) -> str:
    """'GDAS (Dong & Yang, 2019)' -> 'GDAS'; which order of DARTS stays."""
    return " (".join(label.split(" (")[: 2 if label.startswith("DARTS (") else 1])


def seeds_against_optimum(runs: pd.DataFrame, paper: list[dict], labels: list[str]) -> Figure:
    """Test accuracy of every seed, a panel per data set, a line per method: ours as dots (hollow: reduced), the paper's as diamonds."""
    datasets = list(dict.fromkeys(runs.dataset))
    labels = [label for label in labels if label != "optimal"]
    figure, axes = new_figure(1, len(datasets), 4.2 + 3.6 * (len(datasets) - 1) + 3, 0.36 * len(labels) + 1.4)
    published = {row["method"]: row for row in paper}
    for ax, dataset in zip(axes[0], datasets):
        _paper(ax, dataset, published, labels)
        for place, label in enumerate(labels):
            of_label = runs[(runs.label == label) & (runs.dataset == dataset)]
            for reduced, some in of_label.groupby(of_label.reduced != ""):
                shift = np.linspace(-JITTER, JITTER, len(some)) if len(some) > 1 else [0.0]
                size = dict(ms=6, alpha=1.0) if len(some) < MANY else dict(ms=2.5, alpha=0.35)
                ax.plot(some.test_acc_pct, place + np.asarray(shift), "o", mfc="none" if reduced else OURS, mec=OURS, **size)
        ax.set(xlabel=f"{dataset} test accuracy (%)", ylim=(len(labels) - 0.5, -0.5))
        ax.set_yticks(range(len(labels)), [*map(short, labels)] if ax is axes[0, 0] else [])
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
    _key(axes[0, -1], runs, any(f"{dataset}_test" in paper[0] for dataset in datasets))
    return figure


def _paper(ax: Axes, dataset: str, published: dict, labels: list[str]) -> None:
    key = f"{dataset}_test"
    for place, label in enumerate(labels):
        value = published.get(label, {}).get(key)
        if value:
            ax.errorbar(value["mean"], place, xerr=value["std"] or 0, fmt="D", color=OTHER, ms=5, lw=1.2, capsize=2.5, zorder=3)
    if key in published["optimal"]:
        ax.axvline(published["optimal"][key]["mean"], color=REFERENCE, ls="--", lw=1.2, zorder=0)


def _key(ax: Axes, runs: pd.DataFrame, in_paper: bool) -> None:
    if (runs.reduced == "").any():
        ax.plot([], [], "o", color=OURS, label="ours, one seed")
    if (runs.reduced != "").any():
        ax.plot([], [], "o", mfc="none", mec=OURS, label="ours, one seed of a reduced run")
    if in_paper:
        ax.plot([], [], "D", color=OTHER, label="paper, mean ± std")
        ax.plot([], [], ls="--", color=REFERENCE, label="best cell of the benchmark")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))


def cost(runs: pd.DataFrame, labels: list[str]) -> Figure:
    """Mean seconds and memory of a search by method, reduced or not, a bar per data set."""
    labels = [label for label in labels if label in set(runs.label)]
    gpu = runs.gpu_peak_memory_mb.notna().any()
    column, name = ("gpu_peak_memory_mb", "GPU peak memory (MB)") if gpu else ("activation_mb", "activations kept by a step (MB)")
    figure, axes = new_figure(1, 2, 9.5, 0.36 * len(labels) + 1.3)
    datasets = list(dict.fromkeys(runs.dataset))
    height = 0.8 / len(datasets)
    for ax, (value, label) in zip(axes[0], (("search_s", "seconds of a search"), (column, name))):
        for n, dataset in enumerate(datasets):
            means = runs[runs.dataset == dataset].groupby("label")[value].mean().reindex(labels).astype(float)
            bars = ax.barh(np.arange(len(labels)) + n * height, means, height, color=(OURS, OTHER, REFERENCE, "0.6")[n % 4], label=dataset)
            ax.bar_label(bars, [f"{mean:.3g}" if np.isfinite(mean) else "" for mean in means], padding=3, fontsize=8)
        ax.set(xlabel=label)
        ax.margins(x=0.15)
        middle = np.arange(len(labels)) + (len(datasets) - 1) * height / 2
        ax.set_yticks(middle, [short(label) for label in labels] if ax is axes[0, 0] else [])
        ax.invert_yaxis()
    if len(datasets) > 1:
        axes[0, 1].legend(frameon=False, fontsize=8)
    return figure


def memory_by_stage(runs: pd.DataFrame, paper: list[dict]) -> Figure:
    """A bar for every stage of every search; the paper's figure as a diamond where ours is a GPU's peak as well."""
    first = runs.drop_duplicates(["dataset", "row"])
    gpu = first.gpu_peak_memory_mb.notna().any()
    key, name = ("gpu_peak_memory_mb", "GPU peak memory (MB)") if gpu else ("activation_mb", "activations kept by a step (MB)")
    bars = [
        (f"{run.dataset}, {run.label}" + (f", stage {s['stage']}" if len(run.stage_memory) > 1 else ""), s[key], run.dataset, run.row)
        for run in first.itertuples()
        for s in run.stage_memory
    ]
    figure, ((ax,),) = new_figure(1, 1, 8, 0.34 * len(bars) + 1.2)
    drawn = ax.barh([bar[0] for bar in bars], [bar[1] for bar in bars], color=[OTHER if bar[3] == "ours" else OURS for bar in bars])
    ax.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8)
    if gpu:
        published = {(row["dataset"], str(row["k"])): row["gpu_memory_mb"] for row in paper}
        points = [(published[bar[2:]], bar[0]) for bar in bars if bar[2:] in published]
        ax.plot([point[0] for point in points], [point[1] for point in points], "D", color=REFERENCE, label="paper")
        ax.legend(frameon=False)
    ax.set(xlabel=name)
    ax.margins(x=0.12)
    ax.invert_yaxis()
    return figure
