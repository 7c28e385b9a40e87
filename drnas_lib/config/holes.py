"""Cutout (DeVries & Taylor, 2017) on images of any size: the largest hole, and a recipe's hole scaled to the image. No torch."""

from collections.abc import Iterator
from math import isqrt

OF_THE_RECIPES = 32  # pixels a side: the image size of the recipes' holes


def largest(size: int) -> int:
    """The side, an even number, of the largest hole that leaves at least half of an image of `size` pixels a side."""
    return isqrt(size * size // 2) // 2 * 2


def scaled(side: int, size: int) -> int:
    """The side of a recipe's hole in an image of `size` pixels a side: the same fraction of the side, rounded down to an even number."""
    return side * size // (2 * OF_THE_RECIPES) * 2


def problems(side: int, size: int) -> Iterator[str]:
    """A sentence if the hole leaves less than half of the image."""
    if side > largest(size):
        why = "a hole must leave at least half of the image"
        yield f"cutout={side} with images of {size} pixels a side: {why}, so allowed are even numbers from 0 to {largest(size)}."
