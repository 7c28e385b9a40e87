"""The live display of a run: progress over a figure, replaced after each epoch; Ctrl-C ends it with a message how to continue."""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from statistics import fmean
from typing import Any

import pandas as pd
from IPython.display import HTML, display
from matplotlib.figure import Figure

from drnas_lib.collection.views.plots import live_search, training_curves
from drnas_lib.errors import UserError
from drnas_lib.search.trained_cells import cell_label
from drnas_lib.spaces import SPACES

PAUSE_S = 1.0  # the shortest time between two drawings of the figure
SHARE = 0.1  # of the time that drawing may take
RECENT = 5  # epochs whose mean time gives the estimate of the time left


class Interrupted(UserError, KeyboardInterrupt):
    """The user stopped a run; the message says where, and how to go on."""


class _Nowhere:
    """Outside a notebook there is no output to replace."""

    def update(self, obj: object) -> None:
        pass


class Display(ABC):
    """`follow(run)` shows every epoch that a run yields, `tick(done, of)` its steps. A subclass describes and draws an epoch."""

    def __init__(self) -> None:
        self.line = display(HTML("<i>starting …</i>"), display_id=True) or _Nowhere()
        self.picture = display(HTML(""), display_id=True) or _Nowhere()
        self.title, self.where = "", "before the first epoch ended"
        self.ended = False  # whether an epoch has
        self.begun: set[str] = set()
        self.updated, self.next_drawing, self.drawn = time.monotonic(), 0.0, False

    def follow(self, run: Generator) -> None:
        """Show a run to its end. Raises Interrupted where the user stops it, after it has been closed."""
        with closing(run), self.stoppable():
            for progress in run:
                self.show(progress)
        self.finish()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Raises Interrupted, which says how to go on, where the user interrupts the kernel."""
        try:
            yield
        except KeyboardInterrupt:
            self._update_line(f"stopped {self.where}")
            raise Interrupted(f"stopped {self.where}. Run this cell again to go on from there; rerun=True would start over.") from None

    def begin(self, title: str) -> None:
        """Show next the run of this title; several runs share the display. The first epoch of a new run is drawn at once."""
        if title not in self.begun:
            self.begun.add(title)
            self.next_drawing = 0.0
        self.title = f"<b>{title}</b><br>"

    def show(self, progress: Any) -> None:
        """Describe an epoch that has ended and, not too often, draw it; `progress` has its `row`, all rows as `history`, and `epochs`."""
        epoch, of = progress.row["epoch"], progress.epochs
        self.ended, self.where = True, f"after epoch {epoch} of {of}"
        left = (of - epoch) * fmean(row["seconds"] for row in progress.history[-RECENT:])
        about = f", about {left:.0f} s left" if 0 < left < 90 else f", about {left / 60:.0f} min left" if left else ""
        self._update_line(f"{_bar(epoch, of)} epoch {epoch} of {of}{about}; {self._description(progress)}")
        began = time.monotonic()
        if (epoch == of or began >= self.next_drawing) and (figure := self._figure(progress)) is not None:
            self.picture.update(figure)
            took = time.monotonic() - began if self.drawn else 0.0  # the first one also loads fonts
            self.next_drawing, self.drawn = began + max(PAUSE_S, took / SHARE), True

    def tick(self, done: int, of: int) -> None:
        """A bar within an epoch, for epochs that take long."""
        if time.monotonic() - self.updated >= 2 * PAUSE_S and done < of:
            self._update_line(f"{_bar(done, of)} step {done} of {of} of this epoch, {self.where}")

    def finish(self) -> None:
        """Say that the run has ended; a run that had ended before shows no epochs."""
        self.line.update(HTML("Done; the records are read below." if self.ended else "This run was done before; its records are read."))

    def _update_line(self, text: str) -> None:
        self.updated = time.monotonic()
        self.line.update(HTML(self.title + text))

    @abstractmethod
    def _description(self, progress: Any) -> str:
        """The line about an epoch, in HTML."""

    @abstractmethod
    def _figure(self, progress: Any) -> Figure | None:
        """The figure, or None to keep the last one."""


class Live(Display):
    """Of a search: the Dirichlet mean of every edge beside the accuracy so far; of the trainings after it, the line alone."""

    def __init__(self, space: str):
        super().__init__()
        self.space = SPACES[space]

    def _description(self, progress: Any) -> str:
        row = progress.row
        loss = f"loss {row['train_loss_nats']:.3f}"
        if not hasattr(progress, "mean"):
            return f"training {progress.number} of {progress.trainings}: the {cell_label(progress.cell)} cell, seed {progress.seed}, {loss}"
        valid = "" if row["valid_acc_pct"] is None else f", {row['valid_acc_pct']:.1f} % on η batches"
        return f"{loss}, accuracy {row['train_acc_pct']:.1f} % on weight batches{valid}<br>now <code>{row['genotype']}</code>"

    def _figure(self, progress: Any) -> Figure | None:
        if not hasattr(progress, "mean"):
            return None
        edges = [f"{source} → {target}" for source, target in self.space.edges]
        return live_search(progress.history, progress.epochs, dict(zip(self.space.groups, progress.mean)), edges, self.space.operations)


class LiveTraining(Display):
    """Of a training: speed and test error so far, and the curves."""

    def __init__(self, dataset: str):
        super().__init__()
        self.dataset = dataset

    def _description(self, progress: Any) -> str:
        tested = [row["test_acc_pct"] for row in progress.history if row["test_acc_pct"] is not None]
        errors = f"; test error {100 - tested[-1]:.2f} %, best so far {100 - max(tested):.2f} %" if tested else ""
        return f"loss {progress.row['train_loss_nats']:.3f}, {progress.row['images_per_s']:.0f} images/s{errors}"

    def _figure(self, progress: Any) -> Figure:
        return training_curves(pd.DataFrame(progress.history), self.dataset)


def _bar(done: int, of: int) -> str:
    return f"<progress value='{done}' max='{of}' style='width: 15em'></progress>"
