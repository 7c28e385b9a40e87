"""Figures: rows in, a matplotlib Figure out. Nothing here reads a file or computes a result."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from drnas_lib.search.trained_cells import ALL_SKIP, ERRORS, FOUND, MEDIAN, TrainedCells, shown

OPERATION_COLOURS = dict(zip(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"), sns.color_palette("colorblind", 5)))
OPERATION_COLOURS |= dict(  # the DARTS space's: no space has both 1x1 convolutions and these
    zip(
        ("max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "sep_conv_7x7", "conv_7x1_1x7", "noise"),
        ["#949494", "#029e73", "#0a5c45", "#56b4e9", "#0b4a8f", "#ca9161", "#fbafe4", "#ece133"],
    )
)
LABELS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "avg pool 3×3",
    "max_pool_3x3": "max pool 3×3",
    **{f"{kind}_conv_{k}x{k}": f"{kind} conv {k}×{k}" for kind, k in (("sep", 3), ("sep", 5), ("sep", 7), ("dil", 3), ("dil", 5))},
    "conv_7x1_1x7": "conv 1×7, 7×1",
    "noise": "noise",
}
OURS, OTHER, REFERENCE = sns.color_palette("colorblind", 3)


def new_figure(rows: int = 1, columns: int = 1, width: float = 9.0, height: float = 3.6, **of_grid) -> tuple[Figure, np.ndarray]:
    """A figure that is shown only when asked for, and its axes as an array of (rows, columns)."""
    figure = Figure(figsize=(width, height), dpi=90, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, gridspec_kw=of_grid)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def notice(text: str) -> Figure:
    """An empty panel that says why there is nothing to see."""
    figure, ((ax,),) = new_figure(width=7.5, height=1.6)
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, color="0.35", fontsize=10, transform=ax.transAxes)
    ax.set(xticks=[], yticks=[], facecolor="0.96")
    ax.spines[:].set_visible(False)
    return figure


def mean_bars(ax: Axes, mean: list, edges: list[str], operations: tuple[str, ...]) -> None:
    """Stacked bars: E[theta] (E, O), one bar per edge; an operation that no edge has is left out."""
    left = np.zeros(len(edges))
    shares = {operation: np.array([row[o] for row in mean]) for o, operation in enumerate(operations)}
    shares = {operation: share for operation, share in shares.items() if share.any()}
    for operation, share in shares.items():
        ax.barh(edges, share, left=left, color=OPERATION_COLOURS[operation], label=LABELS[operation], height=0.75)
        left += share
    ax.set(xlim=(0, 1), xlabel="mean mixing weight E[θ]", ylabel="edge (from → to)")
    ax.invert_yaxis()
    columns = len(shares) if len(shares) <= 5 else -(-len(shares) // 2)
    ax.legend(ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=8, handlelength=1)


def live_search(history: list[dict], epochs: int, mean: dict[str, list], edges: list[str], operations: tuple[str, ...]) -> Figure:
    """A search under way: E[theta] (E, O) of each group of cells as bars, and the accuracy of its batches so far."""
    wide = 6.5 if len(mean) == 1 else 5.5
    figure, (axes,) = new_figure(1, len(mean) + 1, wide * len(mean) + 3.5, 1.3 + 0.25 * len(edges), width_ratios=[wide] * len(mean) + [3.5])
    for ax, (group, of_group) in zip(axes, mean.items()):
        mean_bars(ax, of_group, edges, operations)
        if len(mean) > 1:
            ax.set_ylabel(f"{group} cell: {ax.get_ylabel()}")
    marker = dict(marker="o", ms=3) if len(history) < 30 else {}
    number = [row["epoch"] for row in history]
    axes[-1].plot(number, [row["train_acc_pct"] for row in history], color=OURS, label="weight batches", **marker)
    valid = [np.nan if row["valid_acc_pct"] is None else row["valid_acc_pct"] for row in history]
    if not np.isnan(valid).all():
        axes[-1].plot(number, valid, color=OTHER, ls="--", label="η batches", **marker)
    axes[-1].set(xlim=(0, epochs), ylim=(0, 100), xlabel="epoch", ylabel="batch accuracy (%)")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    axes[-1].legend(ncols=2, frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def trajectory(history: pd.DataFrame) -> Figure:
    """Loss and accuracy of training and validation batches over the epochs, stages marked."""
    figure, axes = new_figure(1, 2)
    for ax, quantity, label in zip(axes[0], ("loss_nats", "acc_pct"), ("cross-entropy (nats)", "batch accuracy (%)")):
        ax.plot(history.epoch, history[f"train_{quantity}"], color=OURS, label="weights (training half)")
        ax.plot(history.epoch, history[f"valid_{quantity}"], color=OTHER, ls="--", label="η (validation half)")
        ax.set(xlabel="epoch", ylabel=label)
        _mark_stages(ax, history)
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 1].legend(frameon=False, loc="lower right")
    return figure


def concentrations(eta: pd.DataFrame) -> Figure:
    """Heat maps of beta = ELU(eta) + 1 on every edge over the epochs, a panel per edge and group of cells, one colour scale."""
    beta = eta.assign(beta=np.where(eta.eta > 0, eta.eta, np.expm1(np.minimum(eta.eta, 0))) + 1)
    panels = list(beta.groupby(["group", "edge"], sort=False))
    groups = beta.group.nunique()
    columns = 3 if groups == 1 else len(panels) // groups // 2
    operations = [list(dict.fromkeys(of_edge.operation)) for _, of_edge in panels]
    alike = groups > 1 and all(names == operations[0] for names in operations)  # then the labels of the first column serve all
    rows, tallest = -(-len(panels) // columns), max(map(len, operations))
    figure, axes = new_figure(rows, columns, 10 if groups == 1 else 14, (0.22 * tallest + 1.0) * rows + 0.6)
    spread = max(abs(np.log2(beta.beta.clip(lower=1e-3))).max(), 0.05)
    for i, (ax, ((group, edge), of_edge), names) in enumerate(zip(axes.flat, panels, operations)):
        grid = of_edge.pivot(index="operation", columns="epoch", values="beta").loc[names]
        colours = np.log2(grid.clip(lower=1e-3))
        extent = (grid.columns[0] - 0.5, grid.columns[-1] + 0.5, len(grid) - 0.5, -0.5)
        image = ax.imshow(colours, aspect="auto", cmap="PuOr_r", vmin=-spread, vmax=spread, extent=extent, interpolation="nearest")
        where = f"edge {edge.replace('-', ' → ')}"
        ax.set_title(where if groups == 1 else f"{group}, {where}", fontsize=None if groups == 1 else 9)
        ax.set_xlabel("epoch" if i >= len(panels) - columns or groups == 1 else "")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_yticks(range(len(grid)), [LABELS[name] for name in names] if not alike or i % columns == 0 else [], fontsize=8)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    figure.colorbar(image, ax=list(axes.flat), label="log₂ β  (0: the flat prior β = 1)", shrink=0.8)
    return figure


def cell_graph(edges: tuple[tuple[int, int, str], ...], title: str) -> Figure:
    """A cell as a graph: nodes from left to right, an arc for every edge with its operation; `none` is dotted."""
    figure, ((ax,),) = new_figure(width=8.0, height=3.8)
    nodes = sorted({n for source, target, _ in edges for n in (source, target)})
    for source, target, operation in edges:
        span = target - source
        colour = OPERATION_COLOURS[operation]
        bend = 0.0 if span == 1 else (-0.42 if source == 0 else 0.42)
        arrow = FancyArrowPatch(
            (source, 0), (target, 0), connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=16, lw=2.2,
            color=colour, ls=":" if operation == "none" else "-", shrinkA=15, shrinkB=15,
        )  # fmt: skip
        ax.add_patch(arrow)
        ax.text((source + target) / 2, -bend * span / 2, LABELS[operation], ha="center", va="center", fontsize=9, color="black",
                bbox=dict(boxstyle="round,pad=0.2", fc="white", ec=colour, lw=1.2))  # fmt: skip
    for node in nodes:
        label = "in" if node == nodes[0] else "out" if node == nodes[-1] else str(node)
        ax.text(node, 0, label, ha="center", va="center", fontsize=11, bbox=dict(boxstyle="circle,pad=0.45", fc="0.93", ec="0.3"))
    ax.set(xlim=(nodes[0] - 0.4, nodes[-1] + 0.4), ylim=(-0.8, 0.8), title=title, aspect="equal")
    ax.axis("off")
    return figure


def accuracy_by_epoch(accuracy: pd.DataFrame, optimum: float, dataset: str) -> Figure:
    """Benchmark test accuracy of the derived cell after each epoch, columns `epoch` and `test_acc_pct`, against the best cell's."""
    figure, ((ax,),) = new_figure(height=3.2)
    ax.axhline(optimum, color=REFERENCE, ls="--", label=f"best cell of the benchmark: {optimum:.2f} %")
    ax.step(accuracy.epoch, accuracy.test_acc_pct, where="mid", color=OURS, label="cell of the Dirichlet mean")
    ax.set(xlabel="epoch", ylabel=f"{dataset} test accuracy (%)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
    return figure


def trained_cells(cells: TrainedCells) -> Figure:
    """Test accuracy of cells trained alike, the best on top: every seed a dot, the mean a line, the found cell's noise a band."""
    order = sorted(cells.accuracies, key=cells.mean, reverse=True)
    figure, ((ax,),) = new_figure(width=7.5, height=1.3 + 0.33 * len(order))
    ax.grid(axis="y", color="0.9")
    found = cells.mean(FOUND)
    ax.axvspan(found - ERRORS * cells.error(FOUND), found + ERRORS * cells.error(FOUND), color=OURS, alpha=0.12, lw=0)
    for place, cell in enumerate(order):
        colour = OURS if cell == FOUND else REFERENCE if cell == ALL_SKIP else "0.45"
        ax.scatter(cells.accuracies[cell], [place] * cells.seeds, s=24, color=colour, alpha=0.7, zorder=3)
        ax.vlines(cells.mean(cell), place - 0.32, place + 0.32, color=colour, lw=2.5, zorder=4)
        ax.annotate(f"{cells.mean(cell):.1f}", (1.01, place), xycoords=("axes fraction", "data"), va="center", color=colour)
    ax.axvline(cells.mean(MEDIAN), color="0.45", ls="--", lw=1)
    ax.set_yticks(range(len(order)), [shown(cell) for cell in order])
    ax.set(ylim=(len(order) - 0.5, -0.5), xlabel="test accuracy (%)")
    ax.set_title("dots: seeds; lines: means; dashed: median of the random cells; band: noise of the found cell", fontsize=8, color="0.35")
    return figure


def ratios(table: pd.DataFrame, value: str, label: str, reference: str | None = None) -> Figure:
    """Grouped bars over K of a measured `value` for two implementations, the ratio written above; columns `k`, `implementation`.

    `reference` is a column of the paper's values, drawn beside them where there are any.
    """
    figure, ((ax,),) = new_figure(width=7.5, height=3.2)
    wide = table.pivot(index="k", columns="implementation", values=value)[["plain", "ours"]]
    place = np.arange(len(wide))
    for offset, name, colour in ((-0.2, "plain", "0.65"), (0.2, "ours", OURS)):
        ax.bar(place + offset, wide[name], 0.4, color=colour, label=name)
    for x, ratio, top in zip(place, wide.plain / wide.ours, wide.max(axis=1)):
        ax.annotate(f"×{ratio:.2f}", (x, top), ha="center", xytext=(0, 3), textcoords="offset points")
    if reference is not None:
        published = table.drop_duplicates("k").set_index("k")[reference].reindex(wide.index)
        ax.plot(place, published.astype(float), "D", color=REFERENCE, label="paper")
    ax.set(xlabel="K (1/K of the channels mixed)", ylabel=label)
    ax.set_xticks(place, wide.index)
    ax.margins(y=0.15)
    ax.legend(frameon=False)
    return figure


def throughput(company: pd.DataFrame) -> Figure:
    """Images per second of all searches against how many run at once; columns `searches`, `images_per_s`, `over_one`."""
    figure, ((ax,),) = new_figure(width=6.0, height=3.2)
    ax.plot(company.searches, company.images_per_s, "o-", color=OURS, label="measured")
    ax.plot(company.searches, company.images_per_s.iloc[0] * company.searches, ls=":", color="0.5", label="each as fast as one alone")
    for row in company.itertuples():
        at = row.searches, row.images_per_s
        ax.annotate(f"×{row.over_one:.2f} the time", at, xytext=(4, -12), textcoords="offset points", fontsize=8)
    ax.set(xlabel="searches at once", ylabel="images/s of all", ylim=(0, None))
    ax.set_xticks(company.searches)
    ax.margins(x=0.12)
    ax.legend(frameon=False)
    return figure


def profile(rows: pd.DataFrame, device: str) -> Figure:
    """Horizontal bars: time of each kind of operator or kernel in one step; columns `name`, `calls`, `ms`, `share`."""
    figure, ((ax,),) = new_figure(width=9.0, height=0.3 * len(rows) + 1.0)
    names = [name if len(name) <= 60 else f"{name[:57]}..." for name in rows.name]
    ax.barh(range(len(rows)), rows.ms, color=[OURS] * (len(rows) - 1) + ["0.65"])
    for place, row in enumerate(rows.itertuples()):
        text = f"{100 * row.share:.0f} %, {row.calls} calls"
        ax.annotate(text, (row.ms, place), va="center", xytext=(3, 0), textcoords="offset points", fontsize=8)
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel="time in one step (ms)", title=f"one step on {device}")
    return figure


def _mark_stages(ax: Axes, history: pd.DataFrame) -> None:
    for epoch in history.epoch[history.stage.diff() > 0]:
        ax.axvline(epoch - 0.5, color="0.6", lw=1, ls=":")
        ax.text(epoch - 0.3, 0.99, "prune, widen", rotation=90, va="top", fontsize=7, color="0.4", transform=ax.get_xaxis_transform())
