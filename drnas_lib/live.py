"""One live display for a run: a single notebook output, replaced as the run goes on, however long it takes."""

import time

from IPython.display import HTML, display

from drnas_lib.plots import mean_bars, new_figure

REDRAW_S = 1.0  # not more often than this


class Live:
    """`show(progress)` after every epoch, `tick(done, of)` within one. `edges` are the labels of the bars."""

    def __init__(self, edges: list[str], operations: tuple[str, ...]):
        self.edges, self.operations = edges, operations
        self.handle = display(HTML("<i>starting …</i>"), display_id=True)
        self.bar = display(HTML(""), display_id=True)
        self.began = self.drawn = time.monotonic()
        self.first_epoch = None

    def show(self, progress) -> None:
        """Draw an epoch of the search (with the Dirichlet mean) or of a training."""
        last = progress.row["epoch"] == progress.epochs
        now = time.monotonic()
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
            self.bar.update(HTML(f"<progress value='{done}' max='{of}'></progress> step {done} of {of} of this epoch"))

    def _sentence(self, progress, now: float) -> str:
        row, epochs = progress.row, progress.epochs
        seen = row["epoch"] - self.first_epoch
        text = f"<progress value='{row['epoch']}' max='{epochs}'></progress> "
        if not hasattr(progress, "mean"):
            self.first_epoch = None
            return text + f"training the {progress.cell.replace('_', '-')} cell, epoch {row['epoch']} of {epochs}, loss {row['train_loss_nats']:.3f}"
        left = f", about {_minutes((now - self.began) / seen * (epochs - row['epoch']))} left" if seen > 0 and row["epoch"] < epochs else ""
        accuracy = f"accuracy {row['train_acc_pct']:.1f} %"
        if row["valid_acc_pct"] is not None:
            accuracy += f" on weight batches, {row['valid_acc_pct']:.1f} % on η batches"
        return text + f"epoch {row['epoch']} of {epochs}{left}; loss {row['train_loss_nats']:.3f}, {accuracy}<br><code>{row['genotype']}</code>"

    def _figure(self, progress):
        figure, ((ax,),) = new_figure(width=7, height=2.8)
        mean_bars(ax, progress.mean[0], self.edges, self.operations)
        return figure


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
