"""Random crop, mirror and cutout of a whole batch in memory, every image with draws of its own; image files: stream.py.

The draws are made beforehand from a seeded generator (`draw`). Applying them is arithmetic on the device: no worker processes, no host
synchronisation, the same shapes every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DRAWS = 5  # dy, dx, mirrored, centre of the hole: y, x
FAR = -(1 << 20)  # a hole there leaves the image whole
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and standard deviation of each channel, of pixels 0..1


def pixel_scale(mean: Sequence[float], std: Sequence[float], device: torch.device) -> tuple[Tensor, Tensor]:
    """`mean` and `std` for pixels 0..255, each (C, 1, 1), on the device. Made once: no batch has to copy them there."""
    return 255 * torch.tensor(mean, device=device)[:, None, None], 255 * torch.tensor(std, device=device)[:, None, None]


@dataclass(frozen=True)
class Augment:
    """The augmentation of images of `size` pixels a side, and their normalisation."""

    size: int
    pad: int  # zeros around the image before cropping
    flip: bool
    cutout: int  # the side of the hole; 0: none
    mean: tuple[float, ...]  # of each channel, of pixels 0..1
    std: tuple[float, ...]

    def draw(self, steps: int, batch: int, generator: torch.Generator, holes: float = 1.0) -> Tensor:
        """(S, B, 5) int32 on the CPU, see DRAWS; offsets in 0..2 pad, centres in 0..size-1. `holes`: the share of images with a hole."""
        limits = (2 * self.pad + 1, 2 * self.pad + 1, 2 if self.flip else 1, self.size, self.size)
        columns = [torch.randint(limit, (steps, batch), generator=generator, dtype=torch.int32) for limit in limits]
        draws = torch.stack(columns, -1)
        if self.cutout and holes < 1:
            draws[..., 3:].masked_fill_((torch.rand(steps, batch, generator=generator) >= holes)[..., None], FAR)
        return draws

    def padded(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) with `pad` zeros on every side."""
        return torch.nn.functional.pad(images, (self.pad,) * 4)

    def apply(self, padded: Tensor, index: Tensor, draws: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Images `index` (B,) of `padded` (N, C, H+2p, W+2p) under `draws` (B, 5), normalised by `pixel_scale`: float32 (B, C, H, W)."""
        B, C, width = len(index), padded.shape[1], padded.shape[3]
        dy, dx, mirrored, hole_y, hole_x = draws.long().unbind(-1)  # B
        along = torch.arange(self.size, device=padded.device)
        rows = dy[:, None] + along  # B H
        columns = dx[:, None] + torch.where(mirrored[:, None] == 1, self.size - 1 - along, along)  # B W
        pixel = (rows[:, :, None] * width + columns[:, None, :]).view(B, 1, -1)  # B 1 HW
        # Whole images first, pixels second: the channels then share one map of positions, a third of the arithmetic.
        x = padded.index_select(0, index).view(B, C, -1).gather(2, pixel.expand(-1, C, -1))  # B C HW
        x = (x.view(B, C, self.size, self.size).float() - mean) / std
        if self.cutout:
            outside_y = _outside(along, hole_y, self.cutout)  # B H
            outside_x = _outside(along, hole_x, self.cutout)  # B W
            x = x * (outside_y[:, None, :, None] | outside_x[:, None, None, :])
        return x


def _outside(along: Tensor, centre: Tensor, side: int) -> Tensor:
    """True where a pixel is not in [centre - side // 2, centre + side // 2): (B, size)."""
    start = centre[:, None] - side // 2
    return (along < start) | (along >= start + side // 2 * 2)
