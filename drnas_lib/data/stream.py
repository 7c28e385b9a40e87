"""Image files read as they are needed, by worker processes that live as long as the run.

The augmentation of each image has a random stream of its own, from the seed, the epoch and the image's number. So the number of workers
changes nothing, and an epoch can be repeated. The functions that need torchvision import it: that takes two seconds, for which no other
run has to wait.
"""

import hashlib
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from drnas_lib.data.augment import IMAGENET, pixel_scale
from drnas_lib.data.batches import WHOLE, Share, full_batches
from drnas_lib.data.feed import UNREADABLE, Batch
from drnas_lib.data.image_files import Files, open_rgb, refuse_many
from drnas_lib.runs.seeds import derived

if TYPE_CHECKING:
    from torchvision.transforms import Compose

MEAN, STD = IMAGENET
JITTER = (0.4, 0.4, 0.4, 0.2)  # brightness, contrast, saturation, hue
TEST_BATCH = 250
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
            torch.default_generator.manual_seed(derived(self.seed, epoch, number))
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
    """Training and test files as a Feed. Raises DamagedData, with names, where more than 1 % of the files cannot be read."""

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
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(derived(self.seed, epoch)))
        return self._batches(self.train, epoch, order[: self.steps * self.batch_size].split(self.batch_size))

    def test(self) -> Iterator[Batch]:
        return self._batches(self.tests, 0, torch.arange(len(self.tests)).split(TEST_BATCH))

    def _batches(self, reader: FileReader, epoch: int, batches: Iterable[Tensor]) -> Iterator[Batch]:
        """This process' share of each batch of numbers, normalised, on the device."""
        share = self.share
        keys = ([(epoch, number) for number in batch[share.rank :: share.of].tolist()] for batch in batches)
        for images, labels in reader.read(keys):
            yield reader.normalised(images.to(self.device, non_blocking=True)), labels.to(self.device, non_blocking=True)
        refuse_many(reader.files.root, reader.unreadable, len(reader))


def source(train: Files, test: Files, size: int, listed: str | None) -> str:
    """A sentence that says what was read."""
    which = f" of the list {listed}" if listed else ""
    return f"{len(train)} training images{which} and {len(test)} test images of {len(train.classes)} classes, {size}x{size} views."


def digest(train: Files, test: Files) -> str:
    """The fingerprint of both: of names, sizes and choice."""
    return hashlib.sha256((train.digest + test.digest).encode()).hexdigest()
