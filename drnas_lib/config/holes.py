"""Cutout (DeVries & Taylor, 2017) on images of any size: how large a hole may be, and how a recipe's hole follows the image. No torch."""

from collections.abc import Iterator
from math import isqrt

OF_THE_RECIPES = 32  # pixels a side of the images for which the recipes state their hole


def largest(size: int) -> int:
    """The side, an even number, of the largest hole that leaves at least half of an image of `size` pixels a side."""
    return isqrt(size * size // 2) // 2 * 2


def scaled(side: int, size: int) -> int:
    """A recipe's hole in an image of `size` pixels a side: the same share of the side, as an even number of pixels."""
    return side * size // (2 * OF_THE_RECIPES) * 2


def problems(side: int, size: int) -> Iterator[str]:
    """A sentence where a hole leaves less than half of the image."""
    if side > largest(size):
        yield (
            f"cutout={side} with images of {size} pixels a side: a hole must leave at least half of the image, so allowed are even numbers "
            f"from 0 to {largest(size)}."
        )
