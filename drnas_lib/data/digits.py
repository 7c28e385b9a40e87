"""The digits that scikit-learn carries: the scans themselves, and amid clutter (after Mnih et al. 2014).

A cluttered digit is a scan at a random place, size and angle beside a fragment of another, 16x16 pixels. Cells differ on these images, as
they do not on the scans alone. The images are always the same, whatever the seed of a run.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.data.image_set import ImageSet, every_fifth

SIDE = 16  # pixels of a cluttered image
SIZES = 10.0, 14.0  # pixels to which the eight of a scan are stretched
ANGLE = 20.0  # degrees to either side; with more, a 6 could be a 9
TRAIN_COPIES, TEST_COPIES = 2, 8


def read_digits() -> tuple[ImageSet, ImageSet, str]:
    """The 1,797 scans of 8x8 pixels; every fifth image of a class is for testing."""
    from sklearn.datasets import load_digits  # here: other data sets need not wait for this import

    bunch = load_digits()
    images = torch.from_numpy(np.round(bunch.images * (255 / 16)).astype(np.uint8))[:, None]  # N 1 8 8
    scans = ImageSet(images, torch.from_numpy(bunch.target).long())
    test = every_fifth(scans.labels)
    return scans[~test], scans[test], "UCI optical digits as embedded in scikit-learn, 8x8 grey scans."


def read_cluttered_digits() -> tuple[ImageSet, ImageSet, str]:
    """Two cluttered images of each training scan, eight of each test scan: no scan is in both parts."""
    train, test, _ = read_digits()
    source = "UCI optical digits as embedded in scikit-learn, 16x16: at a random place, size and angle, beside a fragment of another."
    return _with_clutter(train, TRAIN_COPIES, seed=0), _with_clutter(test, TEST_COPIES, seed=1), source


def _with_clutter(scans: ImageSet, copies: int, seed: int) -> ImageSet:
    return ImageSet(cluttered(scans.images[:, 0], copies, seed), scans.labels.repeat(copies))


def cluttered(scans: Tensor, copies: int, seed: int) -> Tensor:
    """`copies` images of every scan, uint8 (copies N, 1, 16, 16), from scans uint8 (N, 8, 8)."""
    random = np.random.RandomState(seed)  # NumPy promises never to change its numbers
    scans = scans.double().repeat(copies, 1, 1)
    images = placed(scans, random)
    others = scans[torch.from_numpy(random.permutation(len(scans)))]
    images = torch.maximum(images, placed(others * _quarters(len(scans), random), random))
    return images.round().to(torch.uint8)[:, None]


def _quarters(count: int, random: np.random.RandomState) -> Tensor:
    """Ones on a random quarter of 8x8 pixels, else zeros: (N, 8, 8)."""
    rows, columns = (torch.from_numpy(random.randint(0, 5, count))[:, None] for _ in range(2))
    pixels = torch.arange(8)
    inside_rows, inside_columns = ((start <= pixels) & (pixels < start + 4) for start in (rows, columns))  # N 8
    return (inside_rows[:, :, None] & inside_columns[:, None, :]).double()


def placed(scans: Tensor, random: np.random.RandomState) -> Tensor:
    """Scans (N, 8, 8) stretched, turned and moved at random, wholly inside of images (N, 16, 16). Bilinear, in double precision."""
    count = len(scans)
    size, angle = random.uniform(*SIZES, count), np.radians(random.uniform(-ANGLE, ANGLE, count))
    room = 1 - size / SIDE  # from the middle, where 1 is the edge of the image
    x, y = random.uniform(-room, room), random.uniform(-room, room)
    across, down = np.cos(angle) * SIDE / size, np.sin(angle) * SIDE / size
    to_scan = np.stack([across, down, -across * x - down * y, -down, across, down * x - across * y], 1)
    grid = F.affine_grid(torch.from_numpy(to_scan).view(count, 2, 3), [count, 1, SIDE, SIDE], align_corners=False)
    return F.grid_sample(scans[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]
