"""The images of a training: the batches of an epoch, the test images, and the files that could not be read.

The batches of an epoch follow from the seed and the epoch's number alone, so a run can start at any epoch.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from drnas_lib.data.batches import WHOLE, DeviceImages, Share, full_batches
from drnas_lib.data.sources import Dataset
from drnas_lib.runs.seeds import derived

UNREADABLE = -100  # the label of a test image that could not be read; cross_entropy ignores it
TEST_BATCH = 500
Batch = tuple[Tensor, Tensor]  # x float32 (B, C, H, W), y int64 (B,), on the device


class Feed(Protocol):
    """`steps` batches in an epoch; `unreadable` names the files that could not be read so far."""

    classes: int
    steps: int

    @property
    def unreadable(self) -> list[str]: ...

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The augmented training batches of an epoch."""

    def test(self) -> Iterator[Batch]:
        """All test images, without augmentation."""


class MemoryFeed:
    """A data set on the device as bytes; an incomplete last batch of an epoch is left out. Raises ValueError without a whole batch."""

    def __init__(self, dataset: Dataset, batch_size: int, cutout: int, seed: int, device: torch.device, share: Share = WHOLE):
        assert dataset.test is not None, "a training is judged on test images"
        self.classes, self.batch_size, self.seed, self.share = dataset.classes, batch_size, seed, share
        augment = dataset.augmentation(cutout)
        self.images = DeviceImages(dataset.train, augment, device)
        self.tests = DeviceImages(dataset.test, replace(augment, pad=0), device)  # they are never augmented
        self.steps = full_batches(len(self.images), batch_size)
        self.unreadable: list[str] = []

    def epoch(self, epoch: int) -> Iterator[Batch]:
        plan = self.images.plan(self.batch_size, torch.Generator().manual_seed(derived(self.seed, epoch))).part(self.share)
        for step in range(self.steps):
            yield self.images.batch(plan, step)

    def test(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.tests.evaluation(TEST_BATCH)):
            if number % self.share.of == self.share.rank:
                yield batch
