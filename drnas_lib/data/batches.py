"""A data set held on the device as bytes, and the batches of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from drnas_lib.data.augment import Augment
from drnas_lib.data.sources import ImageSet


@dataclass(frozen=True)
class Share:
    """Every `of`-th image of a batch, from the `rank`-th on: what one of several processes sees."""

    rank: int = 0
    of: int = 1


@dataclass(frozen=True)
class Plan:
    """All batches of an epoch: which images (S, B), and the draws of their augmentation, (S, B, 5) in memory, on the device."""

    index: Tensor
    draws: Tensor

    def part(self, share: Share) -> "Plan":
        """The share of every batch."""
        if share.of == 1:
            return self
        mine = slice(share.rank, None, share.of)
        return Plan(self.index[:, mine].contiguous(), self.draws[:, mine].contiguous())


class DeviceImages:
    """Images as padded uint8 and labels as int64 on `device`; the data set travels there once."""

    unreadable: tuple[str, ...] = ()  # what could not be read has been left out before

    def __init__(self, images: ImageSet, augment: Augment, device: torch.device):
        self.augment = augment
        self.padded = augment.padded(images.images).to(device)  # N C H+2p W+2p
        self.labels = images.labels.to(device)  # N
        self.mean, self.std = augment.scale(device)
        self.device = device

    def __len__(self) -> int:
        return len(self.labels)

    def plan(
        self, batch_size: int, generator: torch.Generator, steps: int | None = None, replacement: bool = False, holes: float = 1.0
    ) -> Plan:
        """Draw an epoch. The draws are made on the CPU, so every device sees the same batches.

        By default one pass in random order, an incomplete last batch left out. With `replacement`, `steps` batches (by
        default as many as one pass has), each of distinct images but independent of the others. `holes` is the share of
        images that cutout touches. Raises ValueError where
        the set is smaller than a batch, or one pass has fewer than `steps`.
        """
        if len(self) < batch_size:
            raise ValueError(f"{len(self)} images do not fill a batch of {batch_size}: lower batch_size or use more images")
        one_pass = len(self) // batch_size
        steps = one_pass if steps is None else steps
        if replacement:
            index = distinct(steps, batch_size, len(self), generator)
        elif steps <= one_pass:
            index = torch.randperm(len(self), generator=generator)[: steps * batch_size].view(steps, batch_size)
        else:
            raise ValueError(f"{len(self)} images give {one_pass} batches of {batch_size} in a pass, not {steps}")
        draws = self.augment.draw(steps, batch_size, generator, holes)
        return Plan(index.to(self.device), draws.to(self.device))

    def batch(self, plan: Plan, step: int | Tensor) -> tuple[Tensor, Tensor]:
        """x float32 (B, C, H, W) and y (B,) of one step; `step` may be a number on the device."""
        index, draws = _row(plan.index, step), _row(plan.draws, step)  # B; B 5
        return self.augment.apply(self.padded, index, draws, self.mean, self.std), self.labels[index]

    def epoch(self) -> "Held":
        """What holds the batches of an epoch for a launcher."""
        return Held(self)

    def evaluation(self, batch_size: int, shuffle: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order, or in one that `shuffle` draws on the CPU, normalised only; the last batch may be smaller."""
        order = torch.arange(len(self)) if shuffle is None else torch.randperm(len(self), generator=shuffle)
        inner = slice(self.augment.pad, self.augment.pad + self.augment.size)
        for part in order.to(self.device).split(batch_size):
            yield (self.padded[part][..., inner, inner].float() - self.mean) / self.std, self.labels[part]


class Held:
    """The plan of an epoch, in tensors that stay where they are, so that a captured graph finds every new one."""

    def __init__(self, images: DeviceImages):
        self.images = images
        self.plan: Plan | None = None

    def begin(self, plan: Plan) -> None:
        if self.plan is None:
            self.plan = Plan(plan.index.clone(), plan.draws.clone())
        self.plan.index.copy_(plan.index)
        self.plan.draws.copy_(plan.draws)

    def arrive(self) -> None:
        """The images are there already."""

    def batch(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """That of the step `number`, which lies on the device."""
        return self.images.batch(self.plan, number)


def distinct(rows: int, count: int, below: int, generator: torch.Generator) -> Tensor:
    """(rows, count) numbers from 0 to below - 1, each row a uniform draw without replacement.

    Draws with replacement and passes over what a row has had already: far less work than a permutation of all for every row.
    """
    drawn = torch.randint(below, (rows, 2 * count), generator=generator)
    while True:
        ordered, place = drawn.sort(dim=1, stable=True)
        again = torch.zeros_like(drawn, dtype=torch.bool).scatter_(1, place[:, 1:], ordered[:, 1:] == ordered[:, :-1])
        if (~again).sum(1).min() >= count:
            return drawn.gather(1, again.to(torch.uint8).argsort(dim=1, stable=True)[:, :count])
        drawn = torch.cat([drawn, torch.randint(below, (rows, count), generator=generator)], 1)


def _row(table: Tensor, step: int | Tensor) -> Tensor:
    # table[step] would read a number on the device back to the host: a wait at every step, and no CUDA graph.
    return table.index_select(0, step.view(1))[0] if isinstance(step, Tensor) else table[step]
