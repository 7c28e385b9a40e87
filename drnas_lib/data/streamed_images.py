"""The image files of one half of a search, with the interface of DeviceImages: worker processes read them anew in every epoch.

A plan names the images of each batch and, as the draw of an image, the seed of its view. So the number of workers changes nothing, and a
checkpoint needs only the random stream from which the next plan is drawn.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from drnas_lib.data.batches import Plan, full_batches, planned_steps
from drnas_lib.data.feed import Batch
from drnas_lib.data.image_files import Files
from drnas_lib.data.stream import FileReader, ImageFileDataset, Key, collate, train_transform

SEEDS = 2**31


class StreamedImages(FileReader):
    """`files` as views of `size` pixels a side, cut at random and mirrored, without changed colours; `workers` processes read them."""

    def __init__(self, files: Files, size: int, seed: int, device: torch.device, workers: int):
        super().__init__(ImageFileDataset(files, train_transform(size, jitter=False), size, seed, substitute=True), device, workers)

    def plan(
        self, batch_size: int, generator: torch.Generator, steps: int | None = None, replacement: bool = False, holes: float = 1.0
    ) -> Plan:
        """Draw an epoch: (S, B) images and (S, B) seeds, on the CPU. By default one pass, an incomplete last batch left out.

        With `replacement`, `steps` batches from as many passes as needed, each in a new order, as the released ImageNet search takes its
        validation batches. `holes` has no effect: there is no cutout. Raises ValueError where the files are fewer than a batch.
        """
        steps, one_pass = planned_steps(len(self), batch_size, steps, replacement), full_batches(len(self), batch_size)
        passes = [torch.randperm(len(self), generator=generator)[: one_pass * batch_size] for _ in range(-(-steps // one_pass))]
        index = torch.cat(passes)[: steps * batch_size].view(steps, batch_size)
        return Plan(index, torch.randint(SEEDS, (steps, batch_size), generator=generator))

    def batch(self, plan: Plan, step: int) -> Batch:
        """x float32 (B, 3, size, size) and y (B,) of one step, read at once and in this process."""
        images, labels = self.noted(collate([self.images[key] for key in keys(plan, step)]))
        return self.normalised(images.to(self.device)), labels.to(self.device)

    def epoch(self) -> "StreamedEpoch":
        """The holder of the next batch, from which the steps take it."""
        return StreamedEpoch(self)


def keys(plan: Plan, step: int) -> list[Key]:
    """The draw and the number of each image in a batch of the plan."""
    return list(zip(plan.draws[step].tolist(), plan.index[step].tolist()))


class StreamedEpoch:
    """The images of the next step, in tensors on the device that keep their addresses: a captured CUDA graph reads each new batch."""

    def __init__(self, images: StreamedImages):
        self.images = images
        self.coming: Iterator[Batch] = iter(())
        self.here: Batch | None = None  # uint8 (B, 3, size, size) and labels (B,)

    def begin(self, plan: Plan) -> None:
        """Let the workers read an epoch."""
        self.coming = self.images.read(keys(plan, step) for step in range(len(plan.index)))

    def fetch(self) -> None:
        """Copy the next batch to the device; wait for the workers where they have not read it yet."""
        images, labels = next(self.coming)
        if self.here is None:
            device = self.images.device
            self.here = torch.empty_like(images, device=device), torch.empty_like(labels, device=device)
        for resident, value in zip(self.here, (images, labels)):
            resident.copy_(value, non_blocking=True)

    def batch(self, number: Tensor) -> Batch:
        """x and y of the batch that was fetched last, whatever its number."""
        assert self.here is not None, "fetch() sets the batch"
        images, labels = self.here
        return self.images.normalised(images), labels
