"""One live display for a run: a single notebook output, replaced as the run goes on, however long it takes."""

import time

from IPython.display import HTML, display

from drnas_lib.plots import mean_bars, new_figure
from drnas_lib.spaces import SPACES

REDRAW_S = 1.0  # not more often than this


class _Nowhere:
    """Outside a notebook there is nothing to replace."""

    def update(self, shown) -> None:
        pass


class Live:
    """`show(progress)` after every epoch, `tick(done, of)` within one, `finish()` at the end."""

    def __init__(self, space: str):
        self.edges = [f"{source} → {target}" for source, target in SPACES[space].edges]
        self.operations, self.groups = SPACES[space].operations, SPACES[space].groups
        self.empty = True
        self.handle = display(HTML("<i>starting …</i>"), display_id=True) or _Nowhere()
        self.bar = display(HTML(""), display_id=True) or _Nowhere()
        self.began = self.drawn = time.monotonic()
        self.first_epoch = None
        self.title = ""

    def begin(self, title: str) -> None:
        """What is shown next belongs to the run of this title; several runs share the display."""
        title = f"<b>{title}</b><br>"
        if title != self.title:
            self.title, self.began, self.first_epoch = title, time.monotonic(), None

    def show(self, progress) -> None:
        """Draw an epoch of the search (with the Dirichlet mean) or of a training."""
        last = progress.row["epoch"] == progress.epochs
        now = time.monotonic()
        self.empty = False
        if self.first_epoch is None:
            self.first_epoch = progress.row["epoch"]
        if now - self.drawn < REDRAW_S and not last:
            return
        self.drawn = now
        self.bar.update(HTML(self._sentence(progress, now)))
        if hasattr(progress, "mean"):
            self.handle.update(self._figure(progress))

    def tick(self, done: int, of: int) -> None:
        """A bar within an epoch, for epochs that take long."""
        now = time.monotonic()
        if now - self.drawn >= 2 * REDRAW_S and done < of:
            self.drawn = now
            self.bar.update(HTML(f"{self.title}<progress value='{done}' max='{of}'></progress> step {done} of {of} of this epoch"))

    def finish(self) -> None:
        """Say that the run has ended; a run that had ended before shows no epochs."""
        self.bar.update(HTML("The run has ended; its records are read below."))
        if self.empty:
            self.handle.update(HTML("This run was done before: nothing to compute."))

    def _sentence(self, progress, now: float) -> str:
        row, epochs = progress.row, progress.epochs
        seen = row["epoch"] - self.first_epoch
        text = f"{self.title}<progress value='{row['epoch']}' max='{epochs}'></progress> "
        if not hasattr(progress, "mean"):
            self.first_epoch = None
            cell = progress.cell.replace("_", "-")
            return text + f"training the {cell} cell, epoch {row['epoch']} of {epochs}, loss {row['train_loss_nats']:.3f}"
        left = f", about {minutes((now - self.began) / seen * (epochs - row['epoch']))} left" if seen > 0 and row["epoch"] < epochs else ""
        accuracy = f"accuracy {row['train_acc_pct']:.1f} %"
        if row["valid_acc_pct"] is not None:
            accuracy += f" on weight batches, {row['valid_acc_pct']:.1f} % on η batches"
        text += f"epoch {row['epoch']} of {epochs}{left}; loss {row['train_loss_nats']:.3f}, {accuracy}"
        return text + f"<br><code>{row['genotype']}</code>"

    def _figure(self, progress):
        groups = len(self.groups)
        figure, (axes,) = new_figure(columns=groups, width=7 if groups == 1 else 12, height=1.3 + 0.25 * len(self.edges))
        for ax, group, mean in zip(axes, self.groups, progress.mean):
            mean_bars(ax, mean, self.edges, self.operations)
            if groups > 1:
                ax.set_ylabel(f"{group} cell: {ax.get_ylabel()}")
        return figure


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
