"""`DeviceImages`: a data set on the device, its batches, and the `Share` of each process; `MemoryFeed`: those of a training."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from drnas_lib.data.augment import Augment, pixel_scale
from drnas_lib.data.image_set import ImageSet
from drnas_lib.data.sources import Dataset
from drnas_lib.runs.seeds import derive_seed

Batch = tuple[Tensor, Tensor]  # x float32 (B, C, H, W), y int64 (B,), on the device
TEST_BATCH = 500


@dataclass(frozen=True)
class Share:
    """The images of a batch that one of several processes sees: every `world_size`-th, from the `rank`-th on."""

    rank: int = 0
    world_size: int = 1


WHOLE = Share()


@dataclass(frozen=True)
class Plan:
    """All batches of an epoch: `index` (S, B) names the images; `draws` decide their augmentation, (S, B, 5) for images on the device."""

    index: Tensor
    draws: Tensor

    def part(self, share: Share) -> "Plan":
        """The share of every batch."""
        mine = slice(share.rank, None, share.world_size)
        return Plan(self.index[:, mine].contiguous(), self.draws[:, mine].contiguous())


def full_batches(images: int, batch_size: int, of: str = "") -> int:
    """The number of batches in one pass, an incomplete last one left out. Raises ValueError for none, with `of` in its message."""
    if images < batch_size:
        raise ValueError(f"{images} images{of} do not fill a batch of {batch_size}: lower batch_size or use more images")
    return images // batch_size


class DeviceImages:
    """Images as padded uint8 and labels as int64 on `device`; the data set is copied there once."""

    unreadable: Sequence[str] = ()  # files that cannot be read were left out when the data set was read

    def __init__(self, images: ImageSet, augment: Augment, device: torch.device):
        self.augment = augment
        self.padded = augment.padded(images.images).to(device)  # N C H+2p W+2p
        self.labels = images.labels.to(device)  # N
        self.mean, self.std = pixel_scale(augment.mean, augment.std, device)
        self.device = device

    def __len__(self) -> int:
        return len(self.labels)

    def plan(self, batch_size: int, generator: torch.Generator, steps: int | None = None, holes: float = 1.0) -> Plan:
        """Draw an epoch. The draws are made on the CPU, so every device sees the same batches.

        By default one pass in random order, an incomplete last batch left out; or `steps` batches, each of distinct images but independent
        of the others. `holes` is the share of images that cutout touches. Raises ValueError where the set is smaller than a batch.
        """
        one_pass = full_batches(len(self), batch_size)
        if steps is None:
            index = torch.randperm(len(self), generator=generator)[: one_pass * batch_size].view(one_pass, batch_size)
        else:
            index = distinct(steps, batch_size, len(self), generator)
        draws = self.augment.draw(len(index), batch_size, generator, holes)
        return Plan(index.to(self.device), draws.to(self.device))

    def batch(self, plan: Plan, step: int | Tensor) -> Batch:
        """x float32 (B, C, H, W) and y (B,) of one step; `step` may be a tensor on the device."""
        index, draws = _row(plan.index, step), _row(plan.draws, step)  # B; B 5
        return self.augment.apply(self.padded, index, draws, self.mean, self.std), self.labels[index]

    def epoch(self) -> "ResidentEpoch":
        """The holder of an epoch's plan, from which the steps take their batches."""
        return ResidentEpoch(self)

    def evaluation(self, batch_size: int, shuffle: torch.Generator | None = None) -> Iterator[Batch]:
        """All images without augmentation, in order or in one that `shuffle` draws on the CPU; the last batch may be smaller."""
        order = torch.arange(len(self)) if shuffle is None else torch.randperm(len(self), generator=shuffle)
        inner = slice(self.augment.pad, self.augment.pad + self.augment.size)
        for part in order.to(self.device).split(batch_size):
            yield (self.padded[part][..., inner, inner].float() - self.mean) / self.std, self.labels[part]


class ResidentEpoch:
    """The plan of an epoch, in tensors that keep their addresses: a captured CUDA graph reads each new plan."""

    def __init__(self, images: DeviceImages):
        self.images = images
        self.plan: Plan | None = None

    def begin(self, plan: Plan) -> None:
        """Copy a new plan into place."""
        if self.plan is None:
            self.plan = Plan(plan.index.clone(), plan.draws.clone())
        self.plan.index.copy_(plan.index)
        self.plan.draws.copy_(plan.draws)

    def fetch(self) -> None:
        """Does nothing: all images are on the device."""

    def batch(self, number: Tensor) -> Batch:
        """x and y of the step `number`, which lies on the device."""
        assert self.plan is not None, "begin() sets the plan"
        return self.images.batch(self.plan, number)


class MemoryFeed:
    """The batches of a training, from a data set on the device. Raises ValueError without a whole batch.

    The batches of an epoch follow from the seed and the epoch's number alone, so a run can start at any epoch; an incomplete last one is
    left out. `unreadable` names the files that could not be read.
    """

    def __init__(self, dataset: Dataset, batch_size: int, cutout: int, seed: int, device: torch.device, share: Share = WHOLE):
        assert dataset.test is not None, "a training is judged on test images"
        self.classes, self.batch_size, self.seed, self.share = dataset.classes, batch_size, seed, share
        augment = dataset.augmentation(cutout)
        self.images = DeviceImages(dataset.train, augment, device)
        self.tests = DeviceImages(dataset.test, replace(augment, pad=0), device)  # they are never augmented
        self.steps = full_batches(len(self.images), batch_size)
        self.unreadable: list[str] = []

    def with_seed(self, seed: int) -> "MemoryFeed":
        """The batches of another seed, from the same images on the device."""
        other = copy(self)
        other.seed = seed
        return other

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The augmented training batches of an epoch."""
        plan = self.images.plan(self.batch_size, torch.Generator().manual_seed(derive_seed(self.seed, epoch))).part(self.share)
        for step in range(self.steps):
            yield self.images.batch(plan, step)

    def test(self) -> Iterator[Batch]:
        """All test images, without augmentation."""
        for number, batch in enumerate(self.tests.evaluation(TEST_BATCH)):
            if number % self.share.world_size == self.share.rank:
                yield batch


def distinct(rows: int, count: int, below: int, generator: torch.Generator) -> Tensor:
    """(rows, count) numbers from 0 to below - 1, each row a uniform draw without replacement.

    Draws with replacement and skips the numbers that a row has already: far less work than a permutation of all for every row.
    """
    drawn = torch.randint(below, (rows, 2 * count), generator=generator)
    while True:
        ordered, place = drawn.sort(dim=1, stable=True)
        again = torch.zeros_like(drawn, dtype=torch.bool).scatter_(1, place[:, 1:], ordered[:, 1:] == ordered[:, :-1])
        if (~again).sum(1).min() >= count:
            return drawn.gather(1, again.to(torch.uint8).argsort(dim=1, stable=True)[:, :count])
        drawn = torch.cat([drawn, torch.randint(below, (rows, count), generator=generator)], 1)


def _row(table: Tensor, step: int | Tensor) -> Tensor:
    # table[step] with a step on the device would be a host synchronisation at every step, which no CUDA graph can capture.
    return table.index_select(0, step.view(1))[0] if isinstance(step, Tensor) else table[step]
