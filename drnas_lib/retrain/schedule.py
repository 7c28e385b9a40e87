"""The learning rate of every epoch of a recipe. Constant within an epoch, from the epoch's number alone."""

import math
from collections.abc import Callable

from drnas_lib.config.recipes import TAIL_EPOCHS, Recipe


def cosine_to_zero(epoch: int, epochs: int, lr: float) -> float:
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear(epoch: int, epochs: int, lr: float) -> float:
    return lr * (epochs - epoch) / epochs


def linear_tail(epoch: int, epochs: int, lr: float) -> float:
    """The released ImageNet code: the line would be at zero five epochs before the end, and those share what its last step leaves."""
    left, sloped = epochs - epoch, epochs - TAIL_EPOCHS
    return lr * (left - TAIL_EPOCHS) / sloped if left > TAIL_EPOCHS else lr * left / (sloped * TAIL_EPOCHS)


SCHEDULES: dict[str, Callable[[int, int, float], float]] = {"cosine": cosine_to_zero, "linear": linear, "linear_tail": linear_tail}


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """Of epoch 0, 1, ...; during the warm-up lr (epoch + 1) / warmup_epochs, whatever the schedule says."""
    if epoch < recipe.warmup_epochs:
        return recipe.lr * (epoch + 1) / recipe.warmup_epochs
    return SCHEDULES[recipe.schedule](epoch, recipe.epochs, recipe.lr)


def drop_path(recipe: Recipe, epoch: int) -> float:
    """Linear from 0 in the first epoch; never quite `recipe.drop_path`."""
    return recipe.drop_path * epoch / recipe.epochs
