"""Cluttered digits (after Mnih et al. 2014): scans at a random place, size and angle beside a fragment of another, 16x16 pixels.

Cells differ on these images, as they do not on the scans alone. The same images always, whatever the seed of a run.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 16  # pixels of an image
SIZES = 10.0, 14.0  # pixels to which a scan's eight are stretched
ANGLE = 20.0  # degrees to either side; with more, a 6 could be a 9


def cluttered(scans: Tensor, copies: int, seed: int) -> Tensor:
    """`copies` images of every scan, uint8 (copies N, 1, 16, 16), from scans uint8 (N, 8, 8)."""
    random = np.random.RandomState(seed)  # whose numbers NumPy promises never to change
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
