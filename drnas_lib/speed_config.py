"""The parameters of the speed notebook."""

from drnas_lib.config import Count, Device, PerStage, Place
from drnas_lib.parameters import Parameters, choice

Space = choice("nb201")


class SpeedConfig(Parameters):
    """The parameters of notebooks/speed.ipynb."""

    space: Space = "nb201"
    ks: PerStage = [1, 2, 4, 8]
    batch_size: Count = 64
    cells: Count = 5
    channels: Count = 16
    repeats: Count = 5
    device: Device = "auto"
    results: Place = "results/speed"

    def _problems(self) -> list[str]:
        wrong = [k for k in self.ks if self.channels % k]
        return [f"ks={self.ks} with channels={self.channels}: {wrong[0]} does not divide the channels."] if wrong else []
