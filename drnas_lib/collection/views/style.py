"""The one style of all figures: the colour and short name of each operation, other colours, axes and legends."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

OURS, OTHER, REFERENCE = sns.color_palette("colorblind", 3)
OPERATION_COLOURS = dict(zip(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"), sns.color_palette("colorblind", 5)))
OPERATION_COLOURS |= {  # of the DARTS space; no space has both these and the convolutions above
    "max_pool_3x3": "#949494", "sep_conv_3x3": "#029e73", "sep_conv_5x5": "#0a5c45", "dil_conv_3x3": "#56b4e9",
    "dil_conv_5x5": "#0b4a8f", "sep_conv_7x7": "#ca9161", "conv_7x1_1x7": "#fbafe4", "noise": "#ece133",
}  # fmt: skip
LABELS = {
    "none": "none", "skip_connect": "skip", "nor_conv_1x1": "conv 1×1", "nor_conv_3x3": "conv 3×3", "avg_pool_3x3": "avg pool 3×3",
    "max_pool_3x3": "max pool 3×3", "sep_conv_3x3": "sep conv 3×3", "sep_conv_5x5": "sep conv 5×5", "sep_conv_7x7": "sep conv 7×7",
    "dil_conv_3x3": "dil conv 3×3", "dil_conv_5x5": "dil conv 5×5", "conv_7x1_1x7": "conv 1×7, 7×1", "noise": "noise",
}  # fmt: skip
PLACES: dict[str, dict[str, Any]] = {  # of a legend
    "inside": {},
    "above": {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)},
    "right": {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)},
    "below": {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)},
}


def new_figure(rows: int = 1, columns: int = 1, width: float = 7.5, height: float = 3.4, **grid: Any) -> tuple[Figure, np.ndarray]:
    """A figure that is shown only when it is the value of a notebook cell, and its axes as an array (rows, columns). Sizes in inches."""
    with rc_context({"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90}):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid)


def legend(ax: Axes, place: str = "inside", **options: Any) -> None:
    """A legend without a frame, `place` one of PLACES."""
    ax.legend(frameon=False, **{"fontsize": 8} | PLACES[place] | options)


def epoch_axis(ax: Axes, ylabel: str, **limits: Any) -> None:
    """Epochs from left to right, whole numbers only."""
    ax.set(xlabel="epoch", ylabel=ylabel, **limits)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def two_curves(ax: Axes, solid: pd.Series, dashed: pd.Series, labels: tuple[str, str]) -> None:
    """Two quantities by epoch, the index of both; the second is left out where it has no values."""
    marker: dict[str, Any] = dict(marker="o", ms=3) if len(solid) < 30 else {}
    ax.plot(solid.index, solid, color=OURS, label=labels[0], **marker)
    if dashed.notna().any():
        ax.plot(dashed.index, dashed.astype(float), color=OTHER, ls="--", label=labels[1], **marker)
