"""drnas_lib.config.image_rules: the limits of cutout by counting pixels, and in every place the hole that the augmentation really cuts."""

import pytest
import torch

from drnas_lib.config.image_rules import largest_hole, scaled_hole
from drnas_lib.data.augment import Augment, pixel_scale


def cut(side: int, size: int) -> int:
    """Pixels that a hole in the middle takes from an image."""
    augment = Augment(size, 0, False, side, (0.0,), (1.0,))
    draws = torch.tensor([[0, 0, 0, size // 2, size // 2]], dtype=torch.int32)
    mean, std = pixel_scale(augment.mean, augment.std, torch.device("cpu"))
    x = augment.apply(torch.ones(1, 1, size, size, dtype=torch.uint8), torch.tensor([0]), draws, mean, std)
    return int((x == 0).sum())


@pytest.mark.parametrize("size", [8, 12, 16, 28, 32, 64, 224])
def test_the_largest_hole_leaves_half_of_the_image_and_the_next_does_not(size):
    side = largest_hole(size)
    assert cut(side, size) <= size * size / 2 < cut(side + 2, size)


@pytest.mark.parametrize(("size", "side"), [(8, 4), (12, 6), (16, 8), (32, 16), (64, 32)])
def test_the_recipes_16_of_32_pixels_is_a_quarter_of_every_image(size, side):
    assert scaled_hole(16, size) == side and cut(side, size) == size * size / 4
    assert scaled_hole(0, size) == 0
