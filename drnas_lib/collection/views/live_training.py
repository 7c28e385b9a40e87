"""One live display for a training: how far it is, over the curves so far."""

import pandas as pd
from matplotlib.figure import Figure

from drnas_lib.collection.views.live import Display
from drnas_lib.collection.views.training_plots import training_curves


class LiveTraining(Display):
    """Of a training: speed and test error so far, and the curves."""

    def __init__(self, dataset: str):
        super().__init__()
        self.dataset = dataset

    def _said(self, progress) -> str:
        said = f"loss {progress.row['train_loss_nats']:.3f}, {progress.row['images_per_s']:.0f} images/s"
        tested = [row["test_acc_pct"] for row in progress.history if row["test_acc_pct"] is not None]
        return said + (f"; test error {100 - tested[-1]:.2f} %, best so far {100 - max(tested):.2f} %" if tested else "")

    def _figure(self, progress) -> Figure:
        return training_curves(pd.DataFrame(progress.history), self.dataset)
