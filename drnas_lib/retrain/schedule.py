"""The learning rates of a training by schedule (a new one is a row of SCHEDULES), and the drop path probability of an epoch."""

import math
from collections.abc import Callable

from drnas_lib.config.recipes import TAIL_EPOCHS, Recipe


def cosine(epoch: int, epochs: int, lr: float) -> float:
    """Cosine annealing to 0 in closed form, constant within an epoch."""
    return lr * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear_tail(epoch: int, epochs: int, lr: float) -> float:
    """The released ImageNet code: linear, but zero five epochs before the end; those go linearly from the rate before them."""
    left, sloped = epochs - epoch, epochs - TAIL_EPOCHS
    return lr * (left - TAIL_EPOCHS) / sloped if left > TAIL_EPOCHS else lr * left / (sloped * TAIL_EPOCHS)


SCHEDULES: dict[str, Callable[[int, int, float], float]] = {  # of (epoch, epochs, lr)
    "cosine": cosine,
    "linear": lambda epoch, epochs, lr: lr * (epochs - epoch) / epochs,
    "linear_tail": linear_tail,
}


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """The rate of epoch 0, 1, ...: lr (epoch + 1) / warmup_epochs during the warm-up, then the schedule's."""
    if epoch < recipe.warmup_epochs:
        return recipe.lr * (epoch + 1) / recipe.warmup_epochs
    return SCHEDULES[recipe.schedule](epoch, recipe.epochs, recipe.lr)


def drop_path(recipe: Recipe, epoch: int) -> float:
    """Linear from 0 in the first epoch to just below `recipe.drop_path` in the last."""
    return recipe.drop_path * epoch / recipe.epochs
