"""Figures of a search, of a training and of speed measurements: rows in, a matplotlib Figure out."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drnas_lib.collection.views.style import LABELS, OPERATION_COLOURS, OTHER, OURS, REFERENCE, epoch_axis, legend, new_figure, two_curves
from drnas_lib.search.trained_cells import ALL_SKIP, FOUND, MEDIAN, STANDARD_ERRORS, TrainedCells, cell_label


def live_search(history: list[dict], epochs: int, means: dict[str, list], edges: list[str], operations: tuple[str, ...]) -> Figure:
    """A running search: E[theta] (E, O) of each group of cells as bars, and the accuracy of its batches so far."""
    widths = [6.5 if len(means) == 1 else 5.5] * len(means) + [3.5]
    figure, (axes,) = new_figure(1, len(means) + 1, sum(widths), 1.3 + 0.25 * len(edges), width_ratios=widths)
    for ax, (group, mean) in zip(axes, means.items()):
        _mean_bars(ax, pd.DataFrame(mean, index=edges, columns=operations), f"{group} cell: " if len(means) > 1 else "")
    rows = pd.DataFrame(history).set_index("epoch")
    two_curves(axes[-1], rows.train_acc_pct, rows.valid_acc_pct, ("weight batches", "η batches"))
    epoch_axis(axes[-1], "batch accuracy (%)", xlim=(0, epochs), ylim=(0, 100))
    legend(axes[-1], "above", ncols=2)
    return figure


def _mean_bars(ax: Axes, mean: pd.DataFrame, prefix: str) -> None:
    """One stacked bar per edge; an operation that no edge has is left out."""
    mean = mean.loc[:, mean.any()]
    mean.plot.barh(stacked=True, ax=ax, color=OPERATION_COLOURS, width=0.75, legend=False)
    ax.set(xlim=(0, 1), xlabel="mean mixing weight E[θ]", ylabel=f"{prefix}edge (from → to)")
    ax.invert_yaxis()
    columns = mean.shape[1]
    legend(ax, "above", labels=[LABELS[name] for name in mean], ncols=columns if columns <= 5 else -(-columns // 2), handlelength=1)


def trajectory(history: pd.DataFrame) -> Figure:
    """Loss and accuracy of training and validation batches by epoch; columns as in history.csv. Dotted lines begin stages."""
    figure, axes = new_figure(1, 2, width=9.0, height=3.6)
    rows = history.set_index("epoch")
    for ax, quantity, label in zip(axes[0], ("loss_nats", "acc_pct"), ("cross-entropy (nats)", "batch accuracy (%)")):
        two_curves(ax, rows[f"train_{quantity}"], rows[f"valid_{quantity}"], ("weights (training half)", "η (validation half)"))
        epoch_axis(ax, label)
        for epoch in rows.index[rows.stage.diff() > 0]:
            ax.axvline(epoch - 0.5, color="0.6", lw=1, ls=":")
            ax.text(epoch - 0.3, 0.99, "prune, widen", rotation=90, va="top", fontsize=7, color="0.4", transform=ax.get_xaxis_transform())
    legend(axes[0, 1], loc="lower right")
    return figure


def concentrations(eta: pd.DataFrame) -> Figure:
    """Heat maps of beta = ELU(eta) + 1 by epoch and operation, a panel for each edge and group of cells, one colour scale."""
    log2_beta = np.where(eta.eta > 0, np.log2(eta.eta.clip(lower=0) + 1), eta.eta / np.log(2)).clip(min=-10)  # exp(eta) below 0
    panels = [
        (f"{group}, edge {edge.replace('-', ' → ')}", rows.pivot(columns="epoch", values="log2_beta").loc[rows.index.unique()])
        for (group, edge), rows in eta.assign(log2_beta=log2_beta).set_index("operation").groupby(["group", "edge"], sort=False)
    ]
    groups, operations = eta.group.nunique(), panels[0][1].index
    columns = 3 if groups == 1 else len(panels) // groups // 2
    rows, tallest = -(-len(panels) // columns), max(len(values) for _, values in panels)
    figure, axes = new_figure(rows, columns, 10 if groups == 1 else 14, (0.22 * tallest + 1.0) * rows + 0.6)
    limit = max(np.abs(log2_beta).max(), 0.05)
    same = all(values.index.equals(operations) for _, values in panels)  # then the labels of the first column serve all
    for i, (ax, (title, values)) in enumerate(zip(axes.flat, panels)):
        extent = (values.columns[0] - 0.5, values.columns[-1] + 0.5, len(values) - 0.5, -0.5)
        image = ax.imshow(values, aspect="auto", cmap="PuOr_r", vmin=-limit, vmax=limit, extent=extent, interpolation="nearest")
        epoch_axis(ax, "")
        ax.set_title(title.partition(", ")[2] if groups == 1 else title, fontsize=9)
        ax.set_xlabel("epoch" if i >= len(panels) - columns else "")
        ax.set_yticks(range(len(values)), [LABELS[name] for name in values.index] if not same or i % columns == 0 else [], fontsize=8)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    figure.colorbar(image, ax=list(axes.flat), label="log₂ β  (0: the flat prior β = 1)", shrink=0.8)
    return figure


def accuracy_by_epoch(accuracy: pd.DataFrame, optimum: float, dataset: str) -> Figure:
    """Benchmark test accuracy of the derived cell after each epoch, columns `epoch` and `test_acc_pct`, and that of the best cell."""
    figure, ((ax,),) = new_figure(width=9.0, height=3.2)
    ax.axhline(optimum, color=REFERENCE, ls="--", label=f"best cell of the benchmark: {optimum:.2f} %")
    ax.step(accuracy.epoch, accuracy.test_acc_pct, where="mid", color=OURS, label="cell after each epoch")
    epoch_axis(ax, f"{dataset} test accuracy (%)")
    legend(ax)
    return figure


def trained_cells(cells: TrainedCells) -> Figure:
    """Test accuracy of the trained cells, the best on top: every seed a dot, the mean a line, the found cell's noise a band."""
    order = sorted(cells.accuracies, key=cells.mean, reverse=True)
    figure, ((ax,),) = new_figure(height=1.3 + 0.33 * len(order))
    ax.grid(axis="y", color="0.9")
    found, noise = cells.mean(FOUND), STANDARD_ERRORS * cells.standard_error(FOUND)
    ax.axvspan(found - noise, found + noise, color=OURS, alpha=0.12, lw=0)
    for place, cell in enumerate(order):
        colour = {FOUND: OURS, ALL_SKIP: REFERENCE}.get(cell, "0.45")
        ax.scatter(cells.accuracies[cell], [place] * cells.seeds, s=24, color=colour, alpha=0.7, zorder=3)
        ax.vlines(cells.mean(cell), place - 0.32, place + 0.32, color=colour, lw=2.5, zorder=4)
        ax.annotate(f"{cells.mean(cell):.1f}", (1.01, place), xycoords=("axes fraction", "data"), va="center", color=colour)
    ax.axvline(cells.mean(MEDIAN), color="0.45", ls="--", lw=1)
    ax.set_yticks(range(len(order)), [cell_label(cell) for cell in order])
    ax.set(ylim=(len(order) - 0.5, -0.5), xlabel="test accuracy (%)")
    ax.set_title("dots: seeds; lines: means; dashed: median of the random cells; band: noise of the found cell", fontsize=8, color="0.35")
    return figure


def training_curves(history: pd.DataFrame, dataset: str, paper_error_pct: float | None = None) -> Figure:
    """Loss, error, and schedules by epoch; columns as in history.csv. The paper's last test error is a dotted line."""
    figure, axes = new_figure(1, 3, 11, 3.3)
    loss, error, schedule = axes[0]
    rows = history.set_index("epoch")
    tested = rows.dropna(subset="test_acc_pct")
    two_curves(loss, rows.train_loss_nats, tested.test_loss_nats, ("training (all heads)", "test"))
    two_curves(error, 100 - rows.train_acc_pct, 100 - tested.test_acc_pct, ("training batches", "test"))
    if paper_error_pct is not None:
        error.axhline(paper_error_pct, color=REFERENCE, ls=":", label=f"paper, at full length: {paper_error_pct:g} %")
    two_curves(schedule, rows.lr, pd.Series(dtype=float), ("learning rate", ""))
    if rows.drop_path.any():
        right = schedule.twinx()
        right.plot(rows.index, rows.drop_path, color=OTHER, ls="--", marker=schedule.lines[0].get_marker(), ms=3, label="drop path")
        right.spines["top"].set_visible(False)
        right.set(ylabel="drop path probability", ylim=(0, None))
        legend(schedule, handles=[*schedule.lines, *right.lines], loc="lower center")
    epoch_axis(loss, "cross-entropy (nats)")
    epoch_axis(error, f"{dataset} top-1 error (%)", ylim=(0, None))
    epoch_axis(schedule, "learning rate", ylim=(0, None))
    legend(loss)
    legend(error)
    return figure


def ratios(table: pd.DataFrame, value: str, label: str, reference: str | None = None) -> Figure:
    """Grouped bars over K of a measured `value` for two implementations, the ratio above them; columns `k`, `implementation`.

    `reference` is a column of the paper's values, drawn as diamonds where there are any.
    """
    figure, ((ax,),) = new_figure(height=3.2)
    wide = table.pivot(index="k", columns="implementation", values=value)[["plain", "ours"]]
    wide.plot.bar(ax=ax, color=["0.65", OURS], width=0.8, rot=0)
    for place, row in enumerate(wide.itertuples()):
        ax.annotate(f"×{row.plain / row.ours:.2f}", (place, max(row[1:])), ha="center", xytext=(0, 3), textcoords="offset points")
    if reference is not None:
        published = table.drop_duplicates("k").set_index("k")[reference].reindex(wide.index)
        ax.plot(range(len(wide)), published.astype(float), "D", color=REFERENCE, label="paper")
    ax.set(xlabel="K (1/K of the channels mixed)", ylabel=label)
    ax.margins(y=0.15)
    legend(ax, "right")
    return figure


def throughput(table: pd.DataFrame) -> Figure:
    """Images per second of all searches against how many run at once; columns `searches`, `images_per_s`, `over_one`."""
    figure, ((ax,),) = new_figure(width=6.0, height=3.2)
    ax.plot(table.searches, table.images_per_s, "o-", color=OURS, label="measured")
    ax.plot(table.searches, table.images_per_s.iloc[0] * table.searches, ls=":", color="0.5", label="each as fast as one alone")
    for row in table.itertuples():
        at = row.searches, row.images_per_s
        ax.annotate(f"×{row.over_one:.2f} the time", at, xytext=(4, -12), textcoords="offset points", fontsize=8)
    ax.set(xlabel="searches at once", ylabel="images/s of all", ylim=(0, None), xticks=table.searches)
    ax.margins(x=0.12)
    legend(ax)
    return figure


def profile(rows: pd.DataFrame, device: str) -> Figure:
    """Horizontal bars: time of each kind of operator or kernel in one step; columns `name`, `calls`, `ms`, `share`."""
    figure, ((ax,),) = new_figure(width=9.0, height=0.3 * len(rows) + 1.0)
    bars = ax.barh(range(len(rows)), rows.ms, color=[OURS] * (len(rows) - 1) + ["0.65"])
    ax.bar_label(bars, [f"{100 * row.share:.0f} %, {row.calls} calls" for row in rows.itertuples()], padding=3, fontsize=8)
    ax.set_yticks(range(len(rows)), [name if len(name) <= 60 else f"{name[:57]}..." for name in rows.name], fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel="time in one step (ms)", title=f"one step on {device}")
    return figure
