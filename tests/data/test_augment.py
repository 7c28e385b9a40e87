"""drnas_lib.data.augment: images against torchvision's given the same draws; draws against their distributions."""

import pytest
import torch
from scipy.stats import chisquare
from torchvision.transforms.v2 import functional as tv

from drnas_lib.data.augment import DRAWS, Augment, pixel_scale

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
UNSCALED = ((0.0,) * 3, (1 / 255,) * 3)  # pixels come back as they were: comparisons are exact
SIGNIFICANCE = 1e-4  # of a chi-square test on a fixed seed


def augmented(augment: Augment, images: torch.Tensor, index: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    return augment.apply(augment.padded(images), index, draws, *pixel_scale(augment.mean, augment.std, torch.device("cpu")))


def cropped(image: torch.Tensor, draw: list[int], pad: int, size: int) -> torch.Tensor:
    dy, dx, mirrored = draw[:3]
    image = tv.crop(tv.pad(image, [pad] * 4), dy, dx, size, size)
    return tv.hflip(image) if mirrored else image


def with_hole(image: torch.Tensor, draw: list[int], side: int) -> torch.Tensor:
    """Cutout as published: zeros from `side // 2` before the centre to `side // 2` after it, clipped at the border."""
    size, (y, x) = image.shape[-1], draw[3:]
    top, left = max(y - side // 2, 0), max(x - side // 2, 0)
    bottom, right = min(y + side // 2, size), min(x + side // 2, size)
    return tv.erase(image, top, left, bottom - top, right - left, torch.zeros(()))


@pytest.mark.parametrize("size, pad, channels", [(32, 4, 3), (16, 2, 3), (8, 1, 3), (8, 0, 1)])
def test_pixels_are_those_of_torchvision(size, pad, channels):
    generator = torch.Generator().manual_seed(size)
    images = torch.randint(0, 256, (20, channels, size, size), generator=generator, dtype=torch.uint8)
    augment = Augment(size, pad, True, 0, *(value[:channels] for value in UNSCALED))
    index, draws = torch.randint(20, (200,), generator=generator), augment.draw(1, 200, generator)[0]
    expected = [cropped(images[i], draw, pad, size) for i, draw in zip(index.tolist(), draws.tolist())]
    found = augmented(augment, images, index, draws)
    assert found.dtype == torch.float32
    assert torch.equal(found.round().to(torch.uint8), torch.stack(expected))


@pytest.mark.parametrize("cutout", [0, 3, 16])
def test_normalised_and_cut_as_the_pipeline_does(cutout):
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (10, 3, 32, 32), generator=generator, dtype=torch.uint8)
    augment = Augment(32, 4, True, cutout, MEAN, STD)
    index, draws = torch.randint(10, (300,), generator=generator), augment.draw(1, 300, generator)[0]
    expected = []
    for i, draw in zip(index.tolist(), draws.tolist()):
        image = tv.normalize(tv.to_dtype(cropped(images[i], draw, 4, 32), torch.float32, scale=True), MEAN, STD)
        expected.append(with_hole(image, draw, cutout) if cutout else image)
    torch.testing.assert_close(augmented(augment, images, index, draws), torch.stack(expected), atol=2e-6, rtol=0)


def test_the_hole_is_zero_after_normalisation_and_as_large_as_asked():
    augment = Augment(32, 4, True, 16, MEAN, STD)
    draws = torch.tensor([[4, 4, 0, 16, 16], [4, 4, 0, 0, 31]])  # in the middle; in a corner, three quarters outside
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    found = augmented(augment, white, torch.zeros(2, dtype=torch.int64), draws)
    assert (found == 0).sum((-2, -1)).tolist() == [[256] * 3, [8 * 9] * 3]


def test_draws_are_uniform_and_independent():
    augment = Augment(32, 4, True, 16, MEAN, STD)
    draws = augment.draw(400, 64, torch.Generator().manual_seed(2)).view(-1, DRAWS)  # 25,600 of each
    for column, values in enumerate((9, 9, 2, 32, 32)):
        assert chisquare(torch.bincount(draws[:, column], minlength=values)).pvalue > SIGNIFICANCE
        assert draws[:, column].max() == values - 1
    offsets = torch.bincount(draws[:, 0] * 9 + draws[:, 1], minlength=81)
    with_mirror = torch.bincount(draws[:, 0] * 2 + draws[:, 2], minlength=18)
    assert min(chisquare(offsets).pvalue, chisquare(with_mirror).pvalue) > SIGNIFICANCE


def test_images_that_have_no_mirror_image_are_never_mirrored():
    draws = Augment(8, 1, False, 0, (0.3,), (0.4,)).draw(50, 64, torch.Generator().manual_seed(0))
    assert draws[..., 2].max() == 0
    assert draws[..., 0].max() == 2


def test_draws_repeat_with_the_seed():
    augment = Augment(32, 4, True, 0, MEAN, STD)
    first, again, other = (augment.draw(3, 5, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.shape, first.dtype) == ((3, 5, DRAWS), torch.int32)


def test_only_a_share_of_the_images_gets_a_hole():
    augment = Augment(8, 1, True, 4, (0.0,), (1.0,))
    images, (mean, std) = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8), pixel_scale(augment.mean, augment.std, torch.device("cpu"))

    def touched(holes):
        draws = augment.draw(1, 2000, torch.Generator().manual_seed(0), holes)[0]
        draws[:, :2] = 1  # no crop into the padding
        x = augment.apply(augment.padded(images), torch.zeros(2000, dtype=torch.long), draws, mean, std)
        return (x == 0).flatten(1).any(1).float().mean().item()

    assert touched(0.0) == 0 and touched(1.0) == 1 and touched(0.3) == pytest.approx(0.3, abs=0.04)
    same = [augment.draw(2, 3, torch.Generator().manual_seed(1), holes)[..., :3] for holes in (1.0, 0.5)]
    assert torch.equal(*same), "the other draws stay as they are"
