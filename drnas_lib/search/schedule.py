"""The epochs of a search in their stages, and the learning rate along them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drnas_lib.config.search_settings import StageSettings
from drnas_lib.retrain.schedule import cosine


@dataclass(frozen=True)
class EpochPosition:
    """An epoch of the whole search, its stage, and its number within the stage; all from 0."""

    epoch: int
    stage: int
    epoch_in_stage: int


def epoch_positions(stages: Sequence[StageSettings]) -> list[EpochPosition]:
    """Every epoch in order."""
    flat = [(s, e) for s, stage in enumerate(stages) for e in range(stage.epochs)]
    return [EpochPosition(epoch, s, e) for epoch, (s, e) in enumerate(flat)]


def linear(epoch: int, epochs: int, end: float) -> float:
    """A line from 0 in the first epoch to `end` in the last: the schedule of drop path and cutout in R-DARTS."""
    return end * epoch / max(1, epochs - 1)


def continued(position: EpochPosition, epochs: int, start: float, end: float, warmup: int) -> float:
    """One cosine over all stages, which falls for `epochs`."""
    return end + cosine(position.epoch, epochs, start - end)


def restart_epoch(position: EpochPosition, epochs: int, start: float, end: float, warmup: int) -> float:
    """The released code under PyTorch <= 1.3: the first epoch of a stage runs at the initial rate, then the cosine continues."""
    return start if position.epoch_in_stage == 0 else continued(position, epochs, start, end, warmup)


def restart_cosine(position: EpochPosition, epochs: int, start: float, end: float, warmup: int) -> float:
    """The released code under PyTorch >= 1.4: a recursion from the rate of the epoch before.

    Each step multiplies the distance to `end` by the same ratio as the closed form does. So the curve is the cosine, scaled to `start` in
    the epoch where the recursion began: the first of the stage, or the last of the warm-up, which sets the rate itself.
    """
    begin = max(position.epoch - position.epoch_in_stage, warmup - 1)
    return end + (start - end) * cosine(position.epoch, epochs, 1.0) / cosine(begin, epochs, 1.0)


LR_AFTER_WIDENING: dict[str, Callable[[EpochPosition, int, float, float, int], float]] = {
    "continued": continued,
    "restart_epoch": restart_epoch,
    "restart_cosine": restart_cosine,
}


def learning_rate(after_widening: str, position: EpochPosition, epochs: int, start: float, end: float, warmup: int = 0) -> float:
    """The rate of the weights: in the first `warmup` epochs a line that reaches `start` in the last of them, then the named schedule."""
    if position.epoch < warmup:
        return start * (position.epoch + 1) / warmup
    return LR_AFTER_WIDENING[after_widening](position, epochs, start, end, warmup)
