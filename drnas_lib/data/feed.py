"""What the training loop needs of a data set: batches of an epoch, the test images, and what could not be read.

An epoch's batches follow from the seed and the epoch's number alone, so that a run can start at any epoch.
"""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from drnas_lib.data.augment import Augment
from drnas_lib.data.batches import DeviceImages, Share
from drnas_lib.data.sources import Dataset
from drnas_lib.runs.seeds import derived

UNREADABLE = -100  # the label of a test image that could not be read; cross_entropy leaves it out
TEST_BATCH = 500
Batch = tuple[Tensor, Tensor]  # x float32 (B, C, H, W), y int64 (B,), on the device


class Feed(Protocol):
    """`steps` batches in an epoch; `unreadable` names the files that could not be read so far."""

    classes: int
    steps: int

    @property
    def unreadable(self) -> list[str]: ...

    def epoch(self, epoch: int) -> Iterator[Batch]: ...

    def test(self) -> Iterator[Batch]: ...


class MemoryFeed:
    """A data set on the device as bytes; an incomplete last batch of an epoch is left out. Raises ValueError without a whole batch."""

    def __init__(self, dataset: Dataset, batch_size: int, cutout: int, seed: int, device: torch.device, share: Share | None = None):
        size = dataset.train.images.shape[-1]
        self.classes, self.batch_size, self.seed = dataset.classes, batch_size, seed
        self.share = share or Share()
        self.images = DeviceImages(dataset.train, Augment(size, dataset.pad, dataset.flip, cutout, dataset.mean, dataset.std), device)
        self.tests = DeviceImages(dataset.test, Augment(size, 0, False, 0, dataset.mean, dataset.std), device)
        self.steps = len(self.images) // batch_size
        self.unreadable: list[str] = []

    def epoch(self, epoch: int) -> Iterator[Batch]:
        plan = self.images.plan(self.batch_size, torch.Generator().manual_seed(derived(self.seed, epoch))).part(self.share)
        for step in range(self.steps):
            yield self.images.batch(plan, step)

    def test(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.tests.evaluation(TEST_BATCH)):
            if number % self.share.of == self.share.rank:
                yield batch
