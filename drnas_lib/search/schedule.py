"""A search as a list of stages, and the learning rate along them."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """`epochs` with 1/`k` of the channels mixed and `keep` operations on every edge; eta rests for the first `arch_warmup` epochs."""

    epochs: int
    k: int
    keep: int
    arch_warmup: int = 0


@dataclass(frozen=True)
class EpochPosition:
    """An epoch of the whole search: which stage it belongs to and which epoch of that stage it is."""

    epoch: int
    stage: int
    epoch_in_stage: int


def places(stages: tuple[Stage, ...]) -> list[EpochPosition]:
    """Every epoch in order."""
    flat = [(s, e) for s, stage in enumerate(stages) for e in range(stage.epochs)]
    return [EpochPosition(epoch, s, e) for epoch, (s, e) in enumerate(flat)]


def cosine(epoch: int, epochs: int, start: float, end: float) -> float:
    """The closed form of cosine annealing, constant within an epoch."""
    return end + (start - end) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def warmed(epoch: int, warmup: int, start: float, otherwise: float) -> float:
    """In the first `warmup` epochs a line that reaches `start` in the last of them; then `otherwise`."""
    return start * (epoch + 1) / warmup if epoch < warmup else otherwise


def rising(epoch: int, epochs: int, end: float) -> float:
    """A line from 0 in the first epoch to `end` in the last: how R-DARTS schedules drop path and cutout."""
    return end * epoch / max(1, epochs - 1)


def continued(place: EpochPosition, epochs: int, start: float, end: float, warmup: int = 0) -> float:
    """One cosine over all stages."""
    return cosine(place.epoch, epochs, start, end)


def restart_epoch(place: EpochPosition, epochs: int, start: float, end: float, warmup: int = 0) -> float:
    """The released code under PyTorch <= 1.3: the new optimiser's first epoch runs at the initial rate, then the cosine goes on."""
    return start if place.epoch_in_stage == 0 else cosine(place.epoch, epochs, start, end)


def restart_cosine(place: EpochPosition, epochs: int, start: float, end: float, warmup: int = 0) -> float:
    """The released code under PyTorch >= 1.4: a recursion from the rate of the epoch before.

    Each step multiplies the distance to `end` by the same ratio as the closed form does, so the curve is the cosine, scaled to `start`
    where the recursion began: in the first epoch of the stage, or in the last of the warm-up, which sets the rate itself.
    """
    begin = max(place.epoch - place.epoch_in_stage, min(place.epoch, warmup - 1))
    return end + (start - end) * cosine(place.epoch, epochs, 1.0, 0.0) / cosine(begin, epochs, 1.0, 0.0)


LR_AFTER_WIDENING: dict[str, Callable[[EpochPosition, int, float, float, int], float]] = {  # (place, epochs, start, end, warm-up)
    "continued": continued,
    "restart_epoch": restart_epoch,
    "restart_cosine": restart_cosine,
}
