"""Figures of the studies: rows in, a matplotlib Figure out. Nothing here reads a file or computes a result."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from drnas_lib.collection.views.pareto import front
from drnas_lib.collection.views.plots import OTHER, OURS, REFERENCE, new_figure

METHODS = {"drnas": ("DrNAS", OURS), "darts": ("DARTS", OTHER), "darts_2nd": ("DARTS (2nd)", REFERENCE)}
DISTRIBUTIONS = {"learnt distribution": (OURS, "o", "-"), "uniform": ("0.55", "s", "--")}


def exploration_range(accuracy: pd.DataFrame, optima: dict[str, float], samples: int, split: str = "test") -> Figure:
    """Figure 1, a panel for each data set: range and middle half of the draws' accuracy, the mean's cell as a line.

    `accuracy` is that of exploration.accuracies on `split`.
    """
    sets = list(dict.fromkeys(accuracy.dataset))
    figure, axes = new_figure(1, len(sets), 4.2 * len(sets), 3.9)
    for ax, name in zip(axes[0], sets):
        of = accuracy[accuracy.dataset == name]
        ax.fill_between(of.epoch, of.q0_pct, of.q100_pct, color=OURS, alpha=0.18, lw=0, label=f"range of {samples} drawn cells")
        ax.fill_between(of.epoch, of.q25_pct, of.q75_pct, color=OURS, alpha=0.38, lw=0, label="middle half of them")
        ax.plot(of.epoch, of.mean_cell_pct, color="black", lw=1.8, label="cell of the Dirichlet mean")
        ax.axhline(optima[name], color=REFERENCE, ls="--", label="best cell of the benchmark")
        ax.set(title=f"{name} (best {optima[name]:.2f} %)", xlabel="epoch", ylabel=f"benchmark {split} accuracy (%)")
        _whole_epochs(ax)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def exploration_width(epochs: pd.DataFrame, samples: int) -> Figure:
    """Distinct cells among the draws, and the entropy of choices and of theta, by epoch. See exploration.by_epoch."""
    figure, axes = new_figure(1, 3, 12.0, 3.2)
    panels = (
        ("distinct_cells", f"distinct cells in {samples} draws"),
        ("effective_choices", "equally likely choices\nof the same entropy"),
        ("theta_entropy_nats", "entropy of θ (nats, all edges)"),
    )
    for ax, (column, label) in zip(axes[0], panels):
        ax.plot(epochs.epoch, epochs[column], color=OURS, marker=".")
        ax.set(xlabel="epoch", ylabel=label)
        if epochs[column].min() > 0:
            ax.set_ylim(0, 1.08 * epochs[column].max())
        ax.ticklabel_format(useOffset=False)
        _whole_epochs(ax)
    return figure


def eigenvalue_trajectory(table: pd.DataFrame, caption: str, growth: float | None = None) -> Figure:
    """Figure 4: dominant eigenvalue along the search for each method, mean of its runs with their range. See hessian_study.study_all.

    `growth` is the paper's factor for DARTS, drawn as a line at that multiple of where DARTS begins.
    """
    figure, ((ax,),) = new_figure(width=7.5, height=3.8)
    for label, colour, of in _by_method(table):
        by, runs = of.groupby("epoch").dominant.agg(["mean", "min", "max"]), of.run.nunique()
        ax.fill_between(by.index, by["min"], by["max"], color=colour, alpha=0.2, lw=0)
        said = f"mean and range of {runs} runs" if runs > 1 else "1 run"
        ax.plot(by.index, by["mean"], color=colour, marker=".", label=f"{label}, {said}")
        if growth is not None and of.method.iloc[0] == "darts":
            ax.axhline(growth * by["mean"].iloc[0], color=colour, ls="--", lw=1, label=f"paper: DARTS ends at about ×{growth:g} its start")
    ax.set(xlabel="epoch", ylabel="dominant eigenvalue (nats per unit²)", title=caption)
    ax.title.set_fontsize(9)
    _whole_epochs(ax)
    ax.legend(frameon=False)
    return figure


def spectrum_ends(table: pd.DataFrame) -> Figure:
    """Largest and least eigenvalue of each run along the search: how far from positive semi-definite the loss is."""
    figure, ((ax,),) = new_figure(width=7.5, height=3.2)
    for label, colour, of_method in _by_method(table):
        for number, (_, of) in enumerate(of_method.groupby("run", sort=False)):
            for end, line in (("dominant", "-"), ("least", ":")):
                said = {"dominant": "largest", "least": "least"}[end]
                ax.plot(of.epoch, of[end], color=colour, marker=".", ls=line, label=f"{label}, {said}" if number == 0 else None)
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.set(xlabel="epoch", ylabel="eigenvalue (nats per unit²)")
    _whole_epochs(ax)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure


def main_job(rows: pd.DataFrame, dataset: str) -> Figure:
    """Found cell, median and range of its random cells, and all-skip, for each seed of the search. See main_job.table."""
    figure, ((ax,),) = new_figure(width=7.5, height=3.4)
    place = np.arange(len(rows))
    ax.vlines(place, rows.random_least_pct, rows.random_most_pct, color="0.8", lw=8, label="random cells, least to most")
    ax.plot(place, rows.random_median_pct, "_", color="0.3", ms=14, mew=2, label="their median")
    ax.plot(place, rows.all_skip_pct, "x", color=REFERENCE, label="all-skip")
    ax.errorbar(place, rows.found_pct, rows.noise_points, fmt="o", color=OURS, capsize=3, label="found cell, noise against the median")
    ax.set_xticks(place, rows.seed)
    ax.set(xlabel="seed of the search", ylabel=f"test accuracy on {dataset} (%)")
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def lambda_accuracy(beside: pd.DataFrame, accuracy_on: str, reduced: bool) -> Figure:
    """Table 5: accuracy of the cell for each lambda, ours with deviation beside the paper's. See lambda_ablation.beside_paper."""
    figure, ((ax,),) = new_figure(width=7.5, height=3.4)
    place = np.arange(len(beside))
    label = f"ours{', reduced runs' if reduced else ''} ({accuracy_on})"
    ax.errorbar(place, beside.ours_mean_pct, beside.ours_std_pct.fillna(0.0), color=OURS, marker="o", capsize=3, label=label)
    ax.plot(place, beside.paper_pct, color=REFERENCE, marker="D", ls="--", label="paper (cifar10, full runs)")
    ax.set_xticks(place, [f"{lam:g}" for lam in beside.index])
    ax.set(xlabel="λ, strength of the pull to the anchor", ylabel="benchmark test accuracy (%)")
    ax.legend(frameon=False)
    return figure


def lambda_trajectories(table: pd.DataFrame, caption: str) -> Figure:
    """Figure 5: dominant eigenvalue along the search, a line for each lambda (mean of its runs)."""
    figure, ((ax,),) = new_figure(width=7.5, height=3.8)
    lams = sorted(table.lam.unique())
    for lam, colour in zip(lams, sns.color_palette("viridis", len(lams))):
        by = table[table.lam == lam].groupby("epoch").dominant.mean()
        ax.plot(by.index, by, color=colour, marker=".", label=f"λ = {lam:g}")
    ax.set(xlabel="epoch", ylabel="dominant eigenvalue (nats per unit²)", title=caption)
    ax.title.set_fontsize(9)
    _whole_epochs(ax)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def gradient_errors(table: pd.DataFrame) -> Figure:
    """Relative difference of the two gradients for each draw against its smallest concentration. See theory.gradient_check."""
    figure, ((ax,),) = new_figure(width=7.0, height=3.0)
    ax.scatter(table.beta_min, table.error, s=12, color=OURS, alpha=0.6, lw=0)
    ax.set(xscale="log", yscale="log", xlabel="smallest β of the draw", ylabel="relative difference to eq. 3")
    ticks = [0.2, 0.5, 1, 2, 5]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    return figure


def laplace_moments(table: pd.DataFrame) -> Figure:
    """Mean and variance of the first operation in the softmax basis, three ways. See theory.laplace_check."""
    figure, axes = new_figure(1, 2, 9.5, 3.3)
    points = dict(color=OURS, ls="", marker="o", ms=4)
    styles = {"exact": dict(color="black", lw=1.6), "Laplace": dict(color=OTHER, ls="--"), "Monte Carlo": points}
    for ax, column, label in zip(axes[0], ("mean", "variance"), ("mean (nats)", "variance (nats²)")):
        for way, style in styles.items():
            of = table[table.way == way]
            ax.plot(of.beta, of[column], label=way, **style)
        ax.axvline(1.0, color="0.75", lw=0.8, ls=":")
        ax.set(xscale="log", yscale="log", xlabel="β of the other operations (the first has 2 β)", ylabel=label)
    axes[0, 1].legend(frameon=False)
    return figure


def penalties(table: pd.DataFrame) -> Figure:
    """KL to the flat Dirichlet beside the l2 penalty and the local quadratic form. See theory.kl_against_l2."""
    directions = list(dict.fromkeys(table.direction))
    figure, axes = new_figure(1, len(directions), 9.5, 3.3)
    for ax, direction in zip(axes[0], directions):
        of = table[table.direction == direction]
        ax.plot(of.eta, of.kl_nats, color=OURS, label="KL(Dir(β) ‖ Dir(1))")
        ax.plot(of.eta, of.l2, color=OTHER, ls="--", label="‖η‖² / 2")
        ax.plot(of.eta, of.local, color="0.5", ls=":", label="η F η / 2, F at the anchor")
        ax.set(title=f"{direction} of an edge moved", xlabel="η", ylabel="penalty (KL in nats)")
        ax.set_ylim(0, 1.1 * max(of.kl_nats.max(), of.l2.quantile(0.9)))
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def bound_steps(table: pd.DataFrame, error: float) -> Figure:
    """Every reading of the expected loss, the left side with two standard errors. See proposition.Bound.table."""
    figure, ((ax,),) = new_figure(width=8.5, height=3.0)
    names, values = list(table.index), table.loss_nats.to_numpy()
    ax.axvspan(values[0] - 2 * error, values[0] + 2 * error, color=OURS, alpha=0.2, lw=0)
    ax.axvline(values[0], color=OURS)
    ax.plot(values, names, "o", color="black")
    for value, name in zip(values, names):
        ax.annotate(f"{value:.4f}", (value, name), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.12, y=0.15)
    ax.set(xlabel="mean cross-entropy (nats); band: left side ± 2 standard errors")
    return figure


def fronts(study, accuracy_on: str, budget: float | None) -> Figure:
    """Accuracy against cost: drawn cells with their fronts, and the best possible front where it is known. `study`: constrained.Study."""
    picked, uniform, space = study.picked, study.uniform, study.space
    figure, ((ax,),) = new_figure(width=8.5, height=4.2)
    for name, of in (("uniform", uniform), ("learnt distribution", picked)):
        colour, marker, line = DISTRIBUTIONS[name]
        ax.scatter(of.cost, of.accuracy_pct, s=9, color=colour, alpha=0.35, lw=0, marker=marker)
        _stairs(ax, of, color=colour, ls=line, lw=1.8, label=f"front of {len(of)} distinct cells, {name}")
    if space is not None:
        _stairs(ax, space, color="black", lw=1.2, ls=":", label=f"best possible front ({len(space):,} cells)")
    ax.plot(picked.cost[0], picked.accuracy_pct[0], "*", ms=15, color=OTHER, mec="black", label="the most probable one drawn")
    if budget is not None:
        ax.axvline(budget, color=REFERENCE, lw=1, ls="--", label="budget")
    shown = pd.concat([picked, uniform]).accuracy_pct
    low = min(max(shown.quantile(0.05), shown.max() - 15), picked.accuracy_pct[0] - 1)
    ax.set(xlabel=f"cost ({study.unit})", ylabel=f"{accuracy_on} accuracy (%)", ylim=(low, shown.max() + 1))
    ax.legend(frameon=False, loc="lower right")
    return figure


def drawn(study, accuracy_on: str, budget: float | None) -> Figure:
    """The drawn cells by cost, against their accuracy where the benchmark knows it. `study`: constrained.Study."""
    return fronts(study, accuracy_on, budget) if "accuracy_pct" in study.picked else drawn_costs(study, budget)


def drawn_costs(study, budget: float | None) -> Figure:
    """How many of the drawn distinct cells cost how much."""
    figure, ((ax,),) = new_figure(width=8.5, height=3.4)
    steps = np.histogram_bin_edges(pd.concat([study.picked, study.uniform]).cost, 30)
    for name, of in (("uniform", study.uniform), ("learnt distribution", study.picked)):
        colour, _, line = DISTRIBUTIONS[name]
        within = "" if name == "uniform" or budget is None else ", within the budget"
        ax.hist(of.cost, steps, histtype="step", color=colour, ls=line, lw=1.8, label=f"{len(of):,} distinct cells, {name}{within}")
    if budget is not None:
        ax.axvline(budget, color=REFERENCE, lw=1, ls="--", label="budget")
    ax.set(xlabel=f"cost ({study.unit})", ylabel="drawn cells")
    ax.legend(frameon=False)
    return figure


def recovered_share(shares: pd.DataFrame) -> Figure:
    """Share of the best front's hypervolume by number of draws, mean and deviation of the repeats. See constrained.recovered."""
    figure, ((ax,),) = new_figure(width=6.5, height=3.4)
    for name, of in shares.groupby("distribution", sort=False):
        colour, marker, line = DISTRIBUTIONS[name]
        by = of.groupby("samples").share_pct.agg(["mean", "std"])
        ax.errorbar(by.index, by["mean"], by["std"].fillna(0.0), color=colour, marker=marker, ls=line, capsize=3, label=name)
    ax.set(xscale="log", xlabel="cells drawn", ylabel="hypervolume recovered (%)", ylim=(0, 102))
    ax.set_xticks(sorted(shares.samples.unique()), [f"{n:,}" for n in sorted(shares.samples.unique())])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="lower right")
    return figure


def _stairs(ax: Axes, cells: pd.DataFrame, **style) -> None:
    chosen = cells.iloc[front(cells.cost.to_numpy(), cells.accuracy_pct.to_numpy())]
    ax.step(chosen.cost, chosen.accuracy_pct, where="post", **style)


def _by_method(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Label, colour and rows of each method, and of each space where there are several."""
    if "space" not in table or table.space.nunique() == 1:
        for method, of in table.groupby("method", sort=False):
            yield *METHODS[method], of
        return
    groups = table.groupby(["method", "space"], sort=False)
    for ((method, space), of), colour in zip(groups, sns.color_palette("colorblind", groups.ngroups).as_hex()):
        yield f"{METHODS[method][0]} on {space}", colour, of


def _whole_epochs(ax: Axes) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
