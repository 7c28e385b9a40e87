"""Image files read and augmented (crop, mirror, colour jitter) as needed, by worker processes that live as long as the run.

No run holds all images in memory. `StreamFeed` is for a training, `StreamedImages` for a search, with the interface of DeviceImages.

The augmentation of each image has a random stream of its own, from the seed, the image's number, and its epoch or the draw in a plan. So
the number of workers changes nothing, an epoch can be repeated, and a checkpoint of a search needs only the stream that draws the plans.
Functions import torchvision where they need it: that takes two seconds, for which no other run has to wait.
"""

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from drnas_lib.data.augment import IMAGENET, pixel_scale
from drnas_lib.data.batches import WHOLE, Batch, MemoryFeed, Plan, Share, full_batches
from drnas_lib.data.image_files import Files, open_rgb, refuse_many
from drnas_lib.runs.seeds import derive_seed

if TYPE_CHECKING:
    from torchvision.transforms import Compose

MEAN, STD = IMAGENET
JITTER = (0.4, 0.4, 0.4, 0.2)  # brightness, contrast, saturation, hue
TEST_BATCH = 250
UNREADABLE = -100  # the label of a test image that could not be read; cross_entropy ignores it
SEEDS = 2**31  # of the views in a plan
Key = tuple[int, int]  # epoch, or a draw; number of the image
Item = tuple[Tensor, int, list[int]]  # image, label, numbers of the unreadable files


def train_transform(size: int, jitter: bool = True) -> "Compose":
    """A random part of the image at `size`, mirrored or not, in changed colours."""
    from torchvision import transforms

    colours = [transforms.ColorJitter(*JITTER)] if jitter else []
    return transforms.Compose([transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), *colours])


def evaluation_transform(size: int) -> "Compose":
    """The short side at 256/224 of `size`, then the centre."""
    from torchvision import transforms

    return transforms.Compose([transforms.Resize(size * 256 // 224), transforms.CenterCrop(size)])


class ImageFileDataset(Dataset[Item]):
    """Item (epoch, number) is the image as uint8 (3, size, size), its label, and the numbers of the unreadable files met on the way.

    In training the next readable file stands in for an unreadable one (`substitute`); in a test its label is UNREADABLE.
    """

    def __init__(self, files: Files, transform: "Compose", size: int, seed: int, substitute: bool):
        self.files, self.transform, self.size, self.seed, self.substitute = files, transform, size, seed, substitute

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> Item:
        epoch, number = key
        damaged: list[int] = []
        for candidate in range(number, number + (len(self) if self.substitute else 1)):
            candidate %= len(self)
            image = self._read(epoch, candidate)
            if image is not None:
                return image, int(self.files.labels[candidate]), damaged
            damaged.append(candidate)
        return torch.zeros(3, self.size, self.size, dtype=torch.uint8), UNREADABLE, damaged

    def _read(self, epoch: int, number: int) -> Tensor | None:
        from torchvision.transforms.functional import pil_to_tensor

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the decoder, about tags that are not used
                image = open_rgb(self.files.root / self.files.name(number))
        except Exception:  # decoders raise whatever the damaged bytes lead them to
            return None
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(self.seed, epoch, number))
            return pil_to_tensor(self.transform(image))


def collate(items: list[Item]) -> tuple[Tensor, Tensor, list[int]]:
    """Images (B, 3, size, size), labels (B,) and the numbers of all unreadable files."""
    if not items:  # this process' share of a small last batch
        return torch.empty(0, 3, 1, 1, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), []
    images, labels, damaged = zip(*items)
    return torch.stack(images), torch.tensor(labels), [number for numbers in damaged for number in numbers]


class NextPass:
    """The batch sampler of a loader whose workers live on: `batches` of keys are set before each pass."""

    batches: Iterable[list[Key]] = ()

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.batches)


class FileReader:
    """Reads batches of `images` in `workers` processes, or in this one for 0 workers, and notes the unreadable files."""

    def __init__(self, images: ImageFileDataset, device: torch.device, workers: int):
        self.images, self.files, self.device = images, images.files, device
        self.damaged: set[int] = set()
        self.mean, self.std = pixel_scale(MEAN, STD, device)
        self.next_pass = NextPass()
        self.loader = DataLoader(
            images,
            batch_sampler=self.next_pass,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else every pass would draw from the process' own
        )

    def __len__(self) -> int:
        return len(self.files)

    @property
    def unreadable(self) -> list[str]:
        """The unreadable files met so far; in training the next readable one stands in."""
        return [f"{self.files.root.name}/{self.files.name(number)}" for number in sorted(self.damaged)]

    def read(self, batches: Iterable[list[Key]]) -> Iterator[Batch]:
        """uint8 (B, 3, size, size) and labels (B,) of each batch, on the CPU. The workers start at once."""
        self.next_pass.batches = batches
        return map(self.noted, self.loader)

    def noted(self, collated: tuple[Tensor, Tensor, list[int]]) -> Batch:
        """Images and labels of a batch; its unreadable files are noted."""
        images, labels, damaged = collated
        self.damaged.update(damaged)
        return images, labels

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 to float32."""
        return images.float().sub_(self.mean).div_(self.std)


class StreamFeed:
    """Training and test files, like MemoryFeed. Raises DamagedData, with names, where more than 1 % of the files cannot be read."""

    def __init__(
        self, train: Files, test: Files, size: int, batch_size: int, seed: int, device: torch.device, workers: int, share: Share = WHOLE
    ):
        self.classes, self.batch_size, self.seed, self.device, self.share = len(train.classes), batch_size, seed, device, share
        self.steps = full_batches(len(train), batch_size)
        self.train = FileReader(ImageFileDataset(train, train_transform(size), size, seed, substitute=True), device, workers)
        self.tests = FileReader(ImageFileDataset(test, evaluation_transform(size), size, seed, substitute=False), device, workers)

    @property
    def unreadable(self) -> list[str]:
        return self.train.unreadable + self.tests.unreadable

    def epoch(self, epoch: int) -> Iterator[Batch]:
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(derive_seed(self.seed, epoch)))
        return self._batches(self.train, epoch, order[: self.steps * self.batch_size].split(self.batch_size))

    def test(self) -> Iterator[Batch]:
        return self._batches(self.tests, 0, torch.arange(len(self.tests)).split(TEST_BATCH))

    def _batches(self, reader: FileReader, epoch: int, batches: Iterable[Tensor]) -> Iterator[Batch]:
        """This process' share of each batch of numbers, normalised, on the device."""
        share = self.share
        keys = ([(epoch, number) for number in batch[share.rank :: share.world_size].tolist()] for batch in batches)
        for images, labels in reader.read(keys):
            yield reader.normalised(images.to(self.device, non_blocking=True)), labels.to(self.device, non_blocking=True)
        refuse_many(reader.files.root, reader.unreadable, len(reader))


Feed = MemoryFeed | StreamFeed  # what a training reads


class StreamedImages(FileReader):
    """`files` as views of `size` pixels a side, cut at random and mirrored, without changed colours; `workers` processes read them."""

    def __init__(self, files: Files, size: int, seed: int, device: torch.device, workers: int):
        super().__init__(ImageFileDataset(files, train_transform(size, jitter=False), size, seed, substitute=True), device, workers)

    def plan(self, batch_size: int, generator: torch.Generator, steps: int | None = None, holes: float = 1.0) -> Plan:
        """Draw an epoch: (S, B) images and (S, B) seeds, on the CPU. By default one pass, an incomplete last batch left out.

        Or `steps` batches from as many passes as needed, each in a new order, as the released ImageNet search takes its validation
        batches. `holes` has no effect: there is no cutout. Raises ValueError where the files are fewer than a batch.
        """
        one_pass = full_batches(len(self), batch_size)
        steps = steps or one_pass
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
