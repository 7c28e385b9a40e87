"""One live display for a training: a single notebook output, replaced as the epochs end."""

import time

import pandas as pd
from IPython.display import HTML, display

from drnas_lib.live import REDRAW_S, minutes
from drnas_lib.training_plots import training_curves


class LiveTraining:
    """`show(progress)` after every epoch, `tick(done, of)` within one, `finish()` at the end."""

    def __init__(self, dataset: str):
        self.dataset, self.empty = dataset, True
        self.handle = display(HTML("<i>starting …</i>"), display_id=True)
        self.bar = display(HTML(""), display_id=True)
        self.drawn = 0.0

    def show(self, progress) -> None:
        """Draw the curves up to this epoch."""
        now = time.monotonic()
        self.empty = False
        if now - self.drawn < REDRAW_S and progress.row["epoch"] < progress.epochs:
            return
        self.drawn = now
        self.bar.update(HTML(self._sentence(progress)))
        self.handle.update(training_curves(pd.DataFrame(progress.history), self.dataset))

    def tick(self, done: int, of: int) -> None:
        """A bar within an epoch, for epochs that take long."""
        now = time.monotonic()
        if now - self.drawn >= 2 * REDRAW_S and done < of:
            self.drawn = now
            self.bar.update(HTML(f"<progress value='{done}' max='{of}'></progress> step {done} of {of} of this epoch"))

    def finish(self) -> None:
        """Say that the run has ended; a run that had ended before shows no epochs."""
        self.bar.update(HTML("The run has ended; its records are read below."))
        if self.empty:
            self.handle.update(HTML("This run was done before: nothing to compute."))

    def _sentence(self, progress) -> str:
        row, epochs = progress.row, progress.epochs
        left = (epochs - row["epoch"]) * sum(past["seconds"] for past in progress.history) / len(progress.history)
        text = f"<progress value='{row['epoch']}' max='{epochs}'></progress> epoch {row['epoch']} of {epochs}"
        text += f", about {minutes(left)} left" if left else ""
        text += f"; loss {row['train_loss_nats']:.3f}, {row['images_per_s']:.0f} images/s"
        tested = [past["test_acc_pct"] for past in progress.history if past["test_acc_pct"] is not None]
        return text + (f"; test error {100 - tested[-1]:.2f} %, best so far {100 - max(tested):.2f} %" if tested else "")
