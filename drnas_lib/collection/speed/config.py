"""The parameters of the speed notebook."""

from typing import Annotated

from drnas_lib.config.kinds import BatchSize, Cells, Channels, Count, Device, FolderPath, PerStage, Precision
from drnas_lib.config.parameters import Parameters, choice, integer, integers

Space = Annotated[str, choice("nb201", "darts")]


class SpeedConfig(Parameters):
    """The parameters of notebooks/speed.ipynb."""

    space: Space = "nb201"
    ks: PerStage = [1, 2, 4, 8]
    at_once: Annotated[list[int], integers(1, 64)] | None = None
    batch_size: BatchSize = 64
    cells: Cells = 5
    channels: Channels = 16
    images: Annotated[int, integer(1, 1_000_000)] = 50_000
    precision: Precision = "float32"
    repeats: Count = 9
    steps: Count | None = None
    device: Device = "auto"
    results: FolderPath = "results/speed"

    def _problems(self) -> list[str]:
        found = [f"ks={self.ks} with channels={self.channels}: {k} does not divide the channels." for k in self.ks if self.channels % k][:1]
        if self.at_once and self.at_once[0] != 1:
            found.append(f"at_once={self.at_once}: the others are compared with one search, so begin with 1.")
        needed = 1 + self.repeats * (self.steps or 1)
        if self.images // 2 // self.batch_size < needed:
            found.append(
                f"images={self.images} with batch_size={self.batch_size}, repeats={self.repeats}, steps={self.steps}: half of the images "
                f"are trained on, and {needed} batches are timed, so {2 * needed * self.batch_size} or more."
            )
        return found
