"""Figures of the studies (Figures 1, 4, 5): rows in, a matplotlib Figure out. Nothing here reads a file or computes a result."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drnas_lib.collection.views.pareto import front
from drnas_lib.collection.views.style import OTHER, OURS, REFERENCE, epoch_axis, legend, new_figure

METHODS = {"drnas": ("DrNAS", OURS), "darts": ("DARTS", OTHER), "darts_2nd": ("DARTS (2nd)", REFERENCE)}
DISTRIBUTIONS = {"uniform": ("0.55", "s", "--"), "learnt distribution": (OURS, "o", "-")}
EIGENVALUE = "dominant eigenvalue (nats per unit²)"
ASIDE = 0.15  # of a seed, by which its cells stand beside each other
Groups = Iterator[tuple[str, Any, pd.DataFrame]]  # label, colour and rows


def exploration_range(accuracy: pd.DataFrame, optima: dict[str, float], samples: int, split: str = "test") -> Figure:
    """Figure 1, a panel for each data set: range and middle half of the draws' accuracy, the mean's cell as a line.

    `accuracy` is that of exploration.accuracies on `split`.
    """
    datasets = accuracy.groupby("dataset", sort=False)
    figure, axes = new_figure(1, datasets.ngroups, 4.2 * datasets.ngroups, 3.9)
    for ax, (name, rows) in zip(axes[0], datasets):
        ax.fill_between(rows.epoch, rows.q0_pct, rows.q100_pct, color=OURS, alpha=0.18, lw=0, label=f"range of {samples} drawn cells")
        ax.fill_between(rows.epoch, rows.q25_pct, rows.q75_pct, color=OURS, alpha=0.38, lw=0, label="middle half of them")
        ax.plot(rows.epoch, rows.mean_cell_pct, color="black", lw=1.8, label="cell of the Dirichlet mean")
        ax.axhline(optima[name], color=REFERENCE, ls="--", label="best cell of the benchmark")
        epoch_axis(ax, f"benchmark {split} accuracy (%)", title=f"{name} (best {optima[name]:.2f} %)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def exploration_width(epochs: pd.DataFrame, samples: int) -> Figure:
    """Distinct cells among the draws, and the entropy of choices and of theta, by epoch. See exploration.by_epoch."""
    figure, axes = new_figure(1, 3, 12.0, 3.2)
    columns = ("distinct_cells", "effective_choices", "theta_entropy_nats")
    labels = f"distinct cells in {samples} draws", "equally likely choices\nof the same entropy", "entropy of θ (nats, all edges)"
    for ax, column, label in zip(axes[0], columns, labels):
        ax.plot(epochs.epoch, epochs[column], color=OURS, marker=".")
        epoch_axis(ax, label)
        ax.ticklabel_format(useOffset=False)
        if epochs[column].min() > 0:
            ax.set_ylim(0, 1.08 * epochs[column].max())
    return figure


def by_method(table: pd.DataFrame) -> Groups:
    """Label, colour and rows of each method, and of each space where there are several."""
    groups = table.groupby(["method", "space"] if "space" in table and table.space.nunique() > 1 else ["method"], sort=False)
    for ((method, *space), rows), colour in zip(groups, sns.color_palette("colorblind", groups.ngroups)):
        label, usual = METHODS[method]
        yield (f"{label} on {space[0]}", colour, rows) if space else (label, usual, rows)


def by_lam(table: pd.DataFrame) -> Groups:
    """Label, colour and rows of each λ."""
    lams = table.groupby("lam")
    for (lam, rows), colour in zip(lams, sns.color_palette("viridis", lams.ngroups)):
        yield f"λ = {lam:g}", colour, rows


def eigenvalue_trajectory(
    table: pd.DataFrame, caption: str, groups: Callable[[pd.DataFrame], Groups] = by_method, growth: float | None = None
) -> Figure:
    """Figures 4 and 5: dominant eigenvalue along the search for each method or lambda, mean of its runs with their range.

    `growth` is the paper's factor for DARTS, drawn as a line at that multiple of where DARTS begins.
    """
    figure, ((ax,),) = new_figure(height=3.8)
    for label, colour, rows in groups(table):
        by, runs = rows.groupby("epoch").dominant.agg(["mean", "min", "max"]), rows.run.nunique()
        ax.fill_between(by.index, by["min"], by["max"], color=colour, alpha=0.2, lw=0)
        ax.plot(by["mean"], color=colour, marker=".", label=f"{label}, {f'mean and range of {runs} runs' if runs > 1 else '1 run'}")
        if growth is not None and rows.method.iloc[0] == "darts":
            ax.axhline(growth * by["mean"].iloc[0], color=colour, ls="--", lw=1, label=f"paper: DARTS ends at about ×{growth:g} its start")
    epoch_axis(ax, EIGENVALUE)
    ax.set_title(caption, fontsize=9)
    legend(ax, "right")
    return figure


def spectrum_ends(table: pd.DataFrame) -> Figure:
    """Largest and least eigenvalue of each run along the search: how far from positive semi-definite the loss is."""
    figure, ((ax,),) = new_figure(height=3.2)
    for label, colour, rows in by_method(table):
        for column, name, line in (("dominant", "largest", "-"), ("least", "least", ":")):
            for _, run in rows.groupby("run", sort=False):
                ax.plot(run.epoch, run[column], color=colour, marker=".", ls=line)
            ax.lines[-1].set_label(f"{label}, {name}")
    ax.axhline(0.0, color="0.6", lw=0.8)
    epoch_axis(ax, "eigenvalue (nats per unit²)")
    legend(ax, "right")
    return figure


def main_job(rows: pd.DataFrame, dataset: str) -> Figure:
    """Found cell, median and range of its random cells, and all-skip, for each seed of the search. See main_job.table."""
    figure, ((ax,),) = new_figure(height=4.0)
    place = np.arange(len(rows))
    range_label = f"{rows.of_cells.max() - 1} random cells, lowest to highest"
    ax.vlines(place - ASIDE, rows.random_least_pct, rows.random_most_pct, color="0.8", lw=8, label=range_label)
    ax.hlines(rows.random_median_pct, place - 2 * ASIDE, place + 2 * ASIDE, color="0.3", lw=1.5, label="their median")
    ax.plot(place - ASIDE, rows.all_skip_pct, "x", color=REFERENCE, label="all-skip")
    found_label = "found cell ± 2 standard errors of the difference from the median"
    ax.errorbar(place + ASIDE, rows.found_pct, rows.noise_points, fmt="o", color=OURS, capsize=3, label=found_label)
    ax.set_xticks(place, rows.seed)
    ax.set(xlabel="seed of the search", ylabel=f"test accuracy on {dataset} (%)")
    legend(ax, "below", ncols=2)
    return figure


def lambda_accuracy(beside: pd.DataFrame, accuracy_on: str, reduced: bool) -> Figure:
    """Table 5: accuracy of the cell for each lambda, ours with deviation beside the paper's. See lambda_ablation.beside_paper."""
    figure, ((ax,),) = new_figure()
    place = np.arange(len(beside))
    label = f"ours{', reduced runs' if reduced else ''} ({accuracy_on})"
    ax.errorbar(place, beside.ours_mean_pct, beside.ours_std_pct.fillna(0.0), color=OURS, marker="o", capsize=3, label=label)
    ax.plot(place, beside.paper_pct, color=REFERENCE, marker="D", ls="--", label="paper (l2, cifar10, full runs)")
    ax.set_xticks(place, [f"{lam:g}" for lam in beside.index])
    ax.set(xlabel="λ, strength of the regulariser", ylabel="benchmark test accuracy (%)")
    legend(ax)
    return figure


def gradient_errors(table: pd.DataFrame) -> Figure:
    """Relative difference of the two gradients for each draw against its smallest concentration. See theory.gradient_check."""
    figure, ((ax,),) = new_figure(height=3.0)
    ax.scatter(table.beta_min, table.error, s=12, color=OURS, alpha=0.6, lw=0)
    ax.set(xscale="log", yscale="log", xlabel="smallest β of the draw", ylabel="relative difference to eq. 3")
    ax.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    ax.set_xticks([], minor=True)
    return figure


def laplace_moments(table: pd.DataFrame) -> Figure:
    """Mean and variance of the first operation in the softmax basis, three ways. See theory.laplace_check."""
    figure, axes = new_figure(1, 2, 9.5, 3.3)
    for ax, column, label in zip(axes[0], ("mean", "variance"), ("mean (nats)", "variance (nats²)")):
        values = table.pivot_table(index="beta", columns="way", values=column)  # a level may be given twice
        ax.plot(values["exact"], color="black", lw=1.6, label="exact")
        ax.plot(values["Laplace"], color=OTHER, ls="--", label="Laplace")
        ax.plot(values["Monte Carlo"], "o", color=OURS, ms=4, label="Monte Carlo")
        ax.axvline(1.0, color="0.75", lw=0.8, ls=":")
        ax.set(xscale="log", yscale="log", xlabel="β of the other operations (the first has 2 β)", ylabel=label)
    legend(axes[0, 1])
    return figure


def penalties(table: pd.DataFrame) -> Figure:
    """KL to the flat Dirichlet beside the l2 penalty and the local quadratic form. See theory.kl_against_l2."""
    directions = table.groupby("direction", sort=False)
    figure, axes = new_figure(1, directions.ngroups, 9.5, 3.3)
    for ax, (direction, rows) in zip(axes[0], directions):
        ax.plot(rows.eta, rows.kl_nats, color=OURS, label="KL(Dir(β) ‖ Dir(1))")
        ax.plot(rows.eta, rows.l2, color=OTHER, ls="--", label="‖η‖² / 2")
        ax.plot(rows.eta, rows.local, color="0.5", ls=":", label="η F η / 2, F at the anchor")
        ax.set(title=f"{direction} of an edge moved", xlabel="η", ylabel="penalty (KL in nats)")
        ax.set_ylim(0, 1.1 * max(rows.kl_nats.max(), rows.l2.quantile(0.9)))
    legend(axes[0, 0])
    return figure


def bound_steps(table: pd.DataFrame, error: float) -> Figure:
    """Every reading of the expected loss, the left side with two standard errors. See theory.Bound.table."""
    figure, ((ax,),) = new_figure(width=8.0, height=2.8)
    left, names = table.loss_nats.iloc[0], list(table.index)
    ax.axvspan(left - 2 * error, left + 2 * error, color=OURS, alpha=0.2, lw=0)
    ax.axvline(left, color=OURS)
    ax.plot(table.loss_nats, names, "o", color="black")
    for value, name in zip(table.loss_nats, names):
        ax.annotate(f"{value:.4f}", (value, name), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12, y=0.2)
    ax.set(xlabel="mean cross-entropy (nats); band: left side ± 2 standard errors")
    return figure


def cells_by_cost(study: Any, accuracy_on: str, budget: float | None) -> Figure:
    """The drawn cells of a budgets.Study by cost: with their accuracy and fronts where the benchmark knows them, else how many there are.

    `picked`, `uniform` and `space` of the study have columns `cost` and, where it is known, `accuracy_pct`.
    """
    figure, ((ax,),) = new_figure(width=8.5, height=4.2)
    ax.set(xlabel=f"cost ({study.unit})")
    if "accuracy_pct" in study.picked:
        _draw_fronts(ax, study.picked, study.uniform, study.space, accuracy_on)
    else:
        _draw_costs(ax, study.picked, study.uniform, "" if budget is None else ", within the budget")
    if budget is not None:
        ax.axvline(budget, color=REFERENCE, lw=1, ls="--", label="budget")
    legend(ax, "above", ncols=2)
    return figure


def _draw_fronts(ax: Axes, picked: pd.DataFrame, uniform: pd.DataFrame, space: pd.DataFrame | None, accuracy_on: str) -> None:
    for (name, (colour, marker, line)), cells in zip(DISTRIBUTIONS.items(), (uniform, picked)):
        ax.scatter(cells.cost, cells.accuracy_pct, s=9, color=colour, alpha=0.35, lw=0, marker=marker)
        _draw_front(ax, cells, color=colour, ls=line, lw=1.8, label=f"front of {len(cells)} distinct cells, {name}")
    if space is not None:
        _draw_front(ax, space, color="black", lw=1.2, ls=":", label=f"best possible front ({len(space):,} cells)")
    ax.plot(picked.cost[0], picked.accuracy_pct[0], "*", ms=15, color=OTHER, mec="black", label="the most probable one drawn")
    shown = pd.concat([picked, uniform]).accuracy_pct
    low = min(max(shown.quantile(0.05), shown.max() - 15), picked.accuracy_pct[0] - 1)
    ax.set(ylabel=f"{accuracy_on} accuracy (%)", ylim=(low, shown.max() + 1))


def _draw_front(ax: Axes, cells: pd.DataFrame, **style: Any) -> None:
    best = cells.iloc[front(cells.cost.to_numpy(), cells.accuracy_pct.to_numpy())]
    ax.step(best.cost, best.accuracy_pct, where="post", **style)


def _draw_costs(ax: Axes, picked: pd.DataFrame, uniform: pd.DataFrame, within: str) -> None:
    steps = np.histogram_bin_edges(pd.concat([picked, uniform]).cost, 30).tolist()
    labels = f"{len(uniform):,} distinct cells, uniform", f"{len(picked):,} distinct cells, learnt distribution{within}"
    for cells, label, (colour, _, line) in zip((uniform, picked), labels, DISTRIBUTIONS.values()):
        ax.hist(cells.cost, steps, histtype="step", color=colour, ls=line, lw=1.8, label=label)
    ax.set(ylabel="drawn cells")


def recovered_share(shares: pd.DataFrame) -> Figure:
    """Share of the best front's hypervolume by number of draws, mean and deviation of the repeats. See budgets.recovered."""
    figure, ((ax,),) = new_figure(width=6.5)
    for name, rows in shares.groupby("distribution", sort=False):
        colour, marker, line = DISTRIBUTIONS[name]
        by = rows.groupby("samples").share_pct.agg(["mean", "std"])
        ax.errorbar(by.index, by["mean"], by["std"].fillna(0.0), color=colour, marker=marker, ls=line, capsize=3, label=name)
    ax.set(xscale="log", xlabel="cells drawn", ylabel="hypervolume recovered (%)", ylim=(0, 102))
    ax.set_xticks(by.index, [f"{n:,}" for n in by.index])
    ax.minorticks_off()
    legend(ax)
    return figure
