"""One live display for a run: a line that says how far it is over a figure, both replaced as it goes on, however long it takes."""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

from IPython.display import HTML, display
from matplotlib.figure import Figure

from drnas_lib.collection.views.plots import live_search
from drnas_lib.errors import UserError
from drnas_lib.search.trained_cells import shown
from drnas_lib.spaces import SPACES

PAUSE_S = 1.0  # the figure is drawn not more often than this
SHARE = 0.1  # of the time that drawing may take
RECENT = 5  # epochs whose seconds foretell those of the others


class Interrupted(UserError, KeyboardInterrupt):
    """The user stopped a run; the message says where, and how to go on."""


class _Nowhere:
    """Outside a notebook there is nothing to replace."""

    def update(self, shown) -> None:
        pass


class Display(ABC):
    """`follow(run)` shows every epoch that a run yields, `tick(done, of)` its steps. What is told and drawn of one, a subclass says."""

    def __init__(self):
        self.line = display(HTML("<i>starting …</i>"), display_id=True) or _Nowhere()
        self.picture = display(HTML(""), display_id=True) or _Nowhere()
        self.title, self.where, self.empty = "", "before the first epoch ended", True
        self.begun: set[str] = set()
        self.told, self.next_drawing, self.drawn = time.monotonic(), 0.0, False

    def follow(self, run: Generator) -> None:
        """Show a run to its end. Raises Interrupted where the user stops it, after it has been closed."""
        with closing(run), self.stoppable():
            for progress in run:
                self.show(progress)
        self.finish()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Turns the interruption of what is shown into one that says how to go on."""
        try:
            yield
        except KeyboardInterrupt:
            self._tell(f"stopped {self.where}")
            raise Interrupted(f"stopped {self.where}. Run this cell again to go on from there; rerun=True would start over.") from None

    def begin(self, title: str) -> None:
        """What is shown next belongs to the run of this title; several runs share the display. A new one is drawn at once."""
        if title not in self.begun:
            self.begun.add(title)
            self.next_drawing = 0.0
        self.title = f"<b>{title}</b><br>"

    def show(self, progress) -> None:
        """Tell of an epoch that has ended and, not too often, draw it."""
        epoch, last = progress.row["epoch"], progress.row["epoch"] == progress.epochs
        self.empty, self.where = False, f"after epoch {epoch} of {progress.epochs}"
        left = (progress.epochs - epoch) * _mean([row["seconds"] for row in progress.history[-RECENT:]])
        self._tell(f"{_bar(epoch, progress.epochs)} epoch {epoch} of {progress.epochs}{_about(left)}; {self._said(progress)}")
        began = time.monotonic()
        if (last or began >= self.next_drawing) and (figure := self._figure(progress)) is not None:
            self.picture.update(figure)
            took = time.monotonic() - began if self.drawn else 0.0  # the first one also loads fonts
            self.next_drawing, self.drawn = began + max(PAUSE_S, took / SHARE), True

    def tick(self, done: int, of: int) -> None:
        """A bar within an epoch, for epochs that take long."""
        if time.monotonic() - self.told >= 2 * PAUSE_S and done < of:
            self._tell(f"{_bar(done, of)} step {done} of {of} of this epoch, {self.where}")

    def finish(self) -> None:
        """Say that the run has ended; a run that had ended before shows no epochs."""
        self.line.update(HTML("This run was done before; its records are read." if self.empty else "Done; the records are read below."))

    def _tell(self, text: str) -> None:
        self.told = time.monotonic()
        self.line.update(HTML(self.title + text))

    @abstractmethod
    def _said(self, progress) -> str:
        """What the line tells of an epoch, in HTML."""

    @abstractmethod
    def _figure(self, progress) -> Figure | None:
        """The figure, or None where the last one shall stay."""


class Live(Display):
    """Of a search: the Dirichlet mean of every edge beside the accuracy so far; of the trainings after it, the line alone."""

    def __init__(self, space: str):
        super().__init__()
        self.space = SPACES[space]

    def _said(self, progress) -> str:
        row = progress.row
        if not hasattr(progress, "mean"):
            which = f"training {progress.number} of {progress.trainings}: the {shown(progress.cell)} cell, seed {progress.seed}"
            return f"{which}, loss {row['train_loss_nats']:.3f}"
        accuracy = f"accuracy {row['train_acc_pct']:.1f} % on weight batches"
        if row["valid_acc_pct"] is not None:
            accuracy += f", {row['valid_acc_pct']:.1f} % on η batches"
        return f"loss {row['train_loss_nats']:.3f}, {accuracy}<br>now <code>{row['genotype']}</code>"

    def _figure(self, progress) -> Figure | None:
        if not hasattr(progress, "mean"):
            return None
        edges = [f"{source} → {target}" for source, target in self.space.edges]
        return live_search(progress.history, progress.epochs, dict(zip(self.space.groups, progress.mean)), edges, self.space.operations)


def _bar(done: int, of: int) -> str:
    return f"<progress value='{done}' max='{of}' style='width: 15em'></progress>"


def _about(left: float) -> str:
    return f", about {left:.0f} s left" if 0 < left < 90 else f", about {left / 60:.0f} min left" if left else ""


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
