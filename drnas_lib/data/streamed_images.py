"""The image files of one half of a search, in the place of DeviceImages: read in every epoch anew, by worker processes that live on.

A plan says which images and, as the draw of an image, the seed of its view. So the number of workers changes nothing, and a checkpoint
needs no more than the random stream from which the next plan is drawn.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from drnas_lib.data.batches import Plan
from drnas_lib.data.image_files import Files
from drnas_lib.data.stream import MEAN, STD, Images, Key, together, train_view

SEEDS = 2**31


class StreamedImages:
    """`files` as views of `size` pixels a side, cut at random and mirrored, without changed colours; `workers` processes read them."""

    def __init__(self, files: Files, size: int, seed: int, device: torch.device, workers: int):
        self.files, self.device = files, device
        self.images = Images(files, train_view(size, jitter=False), size, seed, substitute=True)
        self.damaged: set[int] = set()
        self.mean, self.std = (255 * torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
        self.keys = PlannedKeys()
        self.loader = DataLoader(
            self.images,
            batch_sampler=self.keys,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=together,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else every pass would draw from the process' own
        )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def unreadable(self) -> list[str]:
        """The files met so far that cannot be read; in training the next readable one stands in."""
        return [f"{self.files.root.name}/{self.files.name(number)}" for number in sorted(self.damaged)]

    def plan(
        self, batch_size: int, generator: torch.Generator, steps: int | None = None, replacement: bool = False, holes: float = 1.0
    ) -> Plan:
        """Draw an epoch: (S, B) images and (S, B) seeds, on the CPU. By default one pass, an incomplete last batch left out.

        With `replacement`, `steps` batches from as many passes as it takes, each in a new order, as the released ImageNet search takes its
        validation batches. `holes` says nothing here: there is no cutout. Raises ValueError where the files are fewer than a batch.
        """
        whole = len(self) // batch_size
        if not whole:
            raise ValueError(f"{len(self)} images do not fill a batch of {batch_size}: lower batch_size or use more images")
        steps = whole if steps is None else steps
        if steps > whole and not replacement:
            raise ValueError(f"{len(self)} images give {whole} batches of {batch_size} in a pass, not {steps}")
        passes = [torch.randperm(len(self), generator=generator)[: whole * batch_size] for _ in range(-(-steps // whole))]
        index = torch.cat(passes)[: steps * batch_size].view(steps, batch_size)
        return Plan(index, torch.randint(SEEDS, (steps, batch_size), generator=generator))

    def batch(self, plan: Plan, step: int) -> tuple[Tensor, Tensor]:
        """x float32 (B, 3, size, size) and y (B,) of one step, read at once and in this process."""
        images, labels, damaged = together([self.images[key] for key in keys(plan, step)])
        self.damaged.update(damaged)
        return self.normalised(images.to(self.device)), labels.to(self.device)

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 to float32."""
        return images.float().sub_(self.mean).div_(self.std)

    def epoch(self) -> "Arriving":
        """What hands the batches of an epoch to a launcher."""
        return Arriving(self)


def keys(plan: Plan, step: int) -> list[Key]:
    return list(zip(plan.draws[step].tolist(), plan.index[step].tolist()))


class PlannedKeys:
    """What the workers are to read: every batch of `plan`."""

    def __init__(self):
        self.plan: Plan | None = None

    def __len__(self) -> int:
        return 0 if self.plan is None else len(self.plan.index)

    def __iter__(self) -> Iterator[list[Key]]:
        return (keys(self.plan, step) for step in range(len(self)))


class Arriving:
    """The images of the next step, in tensors on the device that stay where they are, so that a captured graph finds them."""

    def __init__(self, images: StreamedImages):
        self.images = images
        self.coming: Iterator = iter(())
        self.here: tuple[Tensor, Tensor] | None = None  # uint8 (B, 3, size, size) and labels (B,)

    def begin(self, plan: Plan) -> None:
        """Set the workers to read an epoch."""
        self.images.keys.plan = plan
        self.coming = iter(self.images.loader)

    def arrive(self) -> None:
        """Fetch the next batch, waiting for it where it is not read yet."""
        *read, damaged = next(self.coming)
        self.images.damaged.update(damaged)
        if self.here is None:
            self.here = tuple(torch.empty_like(value, device=self.images.device) for value in read)
        for place, value in zip(self.here, read):
            place.copy_(value, non_blocking=True)

    def batch(self, number: Tensor) -> tuple[Tensor, Tensor]:
        """That which arrived last, whatever its number."""
        images, labels = self.here
        return self.images.normalised(images), labels
