"""Figures of a training. Rows in, a matplotlib Figure out."""

import pandas as pd
from matplotlib.figure import Figure

from drnas_lib.collection.views.plots import OTHER, OURS, REFERENCE, new_figure


def training_curves(history: pd.DataFrame, dataset: str, paper_error_pct: float | None = None) -> Figure:
    """Loss, error, and what the schedule sets, by epoch; columns as in history.csv. The paper's last test error is a dashed line."""
    figure, axes = new_figure(1, 3, 11, 3.3)
    loss, error, schedule = axes[0]
    tested = history.dropna(subset="test_acc_pct")
    marker = dict(marker="o", ms=3) if len(history) < 30 else {}
    loss.plot(history.epoch, history.train_loss_nats, color=OURS, label="training (all heads)", **marker)
    loss.plot(tested.epoch, tested.test_loss_nats, color=OTHER, ls="--", label="test", **marker)
    loss.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    error.plot(history.epoch, 100 - history.train_acc_pct, color=OURS, label="training batches", **marker)
    error.plot(tested.epoch, 100 - tested.test_acc_pct, color=OTHER, ls="--", label="test", **marker)
    if paper_error_pct is not None:
        error.axhline(paper_error_pct, color=REFERENCE, ls=":", label=f"paper, at full length: {paper_error_pct:g} %")
    error.set(xlabel="epoch", ylabel=f"{dataset} top-1 error (%)", ylim=(0, None))
    schedule.plot(history.epoch, history.lr, color=OURS, label="learning rate", **marker)
    schedule.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
    if history.drop_path.any():
        right = schedule.twinx()
        right.plot(history.epoch, history.drop_path, color=OTHER, ls="--", label="drop path", **marker)
        right.set(ylabel="drop path probability", ylim=(0, None))
        right.spines["top"].set_visible(False)
        schedule.legend(handles=[*schedule.lines, *right.lines], frameon=False, fontsize=8, loc="lower center")
    for ax in axes[0]:
        ax.xaxis.get_major_locator().set_params(integer=True)
    loss.legend(frameon=False, fontsize=8)
    error.legend(frameon=False, fontsize=8)
    return figure
