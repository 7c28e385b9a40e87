"""Image files read as they are needed, by worker processes that live as long as the run.

Every image's augmentation has a random stream of its own, from the seed, the epoch and the image's number: the number of
workers changes nothing, and an epoch can be repeated.
"""

import hashlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms.functional import pil_to_tensor

from drnas_lib.data.batches import Share
from drnas_lib.data.feed import UNREADABLE, Batch
from drnas_lib.data.image_files import Files, open_rgb
from drnas_lib.errors import DamagedData
from drnas_lib.runs.seeds import derived

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
JITTER = (0.4, 0.4, 0.4, 0.2)  # brightness, contrast, saturation, hue
UNREADABLE_PCT = 1.0  # more than this is not an accident
NAMED = 5  # of these, in an error
TEST_BATCH = 250
Key = tuple[int, int]  # epoch, or a draw; number of the image


def train_view(size: int, jitter: bool = True) -> transforms.Compose:
    """A random part of the image at `size`, mirrored or not, in changed colours."""
    colours = [transforms.ColorJitter(*JITTER)] if jitter else []
    return transforms.Compose([transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), *colours])


def centre_view(size: int) -> transforms.Compose:
    """The short side at 256/224 of `size`, then the centre."""
    return transforms.Compose([transforms.Resize(size * 256 // 224), transforms.CenterCrop(size)])


class Images(Dataset):
    """Item (epoch, number) is the image as uint8 (3, size, size), its label, and the numbers of the files met that cannot be read.

    In training the next readable file stands in for one that is not; in a test its label is UNREADABLE.
    """

    def __init__(self, files: Files, view: transforms.Compose, size: int, seed: int, substitute: bool):
        self.files, self.view, self.size, self.seed, self.substitute = files, view, size, seed, substitute

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: Key) -> tuple[Tensor, int, list[int]]:
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
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the decoder, about tags that are not used
                image = open_rgb(self.files.root / self.files.name(number))
        except Exception:  # decoders raise whatever the damaged bytes lead them to
            return None
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derived(self.seed, epoch, number))
            return pil_to_tensor(self.view(image))


class EpochOrder:
    """The batches of an epoch as lists of (epoch, number), this process' share of each; `epoch` is set before each pass."""

    def __init__(self, count: int, batch_size: int, seed: int, share: Share, shuffled: bool):
        self.count, self.batch_size, self.seed, self.share, self.shuffled = count, batch_size, seed, share, shuffled
        self.epoch = 0

    def __len__(self) -> int:
        return self.count // self.batch_size if self.shuffled else -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[list[Key]]:
        generator = torch.Generator().manual_seed(derived(self.seed, self.epoch))
        order = torch.randperm(self.count, generator=generator) if self.shuffled else torch.arange(self.count)
        for step in range(len(self)):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield [(self.epoch, number) for number in batch[self.share.rank :: self.share.of].tolist()]


def together(items: list[tuple[Tensor, int, list[int]]]) -> tuple[Tensor, Tensor, list[int]]:
    if not items:  # this process' share of a small last batch
        return torch.empty(0, 3, 1, 1, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), []
    images, labels, damaged = zip(*items)
    return torch.stack(images), torch.tensor(labels), [number for numbers in damaged for number in numbers]


class StreamFeed:
    """Training and test files as a Feed. Raises DamagedData, with names, where more than 1 % of the files cannot be read."""

    def __init__(
        self,
        train: Files,
        test: Files,
        size: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        workers: int,
        share: Share | None = None,
    ):
        share = share or Share()
        if len(train) < batch_size:
            raise ValueError(f"{len(train)} images do not fill a batch of {batch_size}: lower batch_size or use more images")
        self.classes, self.device, self.files = len(train.classes), device, (train, test)
        self.damaged: tuple[set[int], set[int]] = (set(), set())
        self.order = EpochOrder(len(train), batch_size, seed, share, shuffled=True)
        self.steps = len(self.order)
        self.train_loader = self._loader(Images(train, train_view(size), size, seed, substitute=True), self.order, workers)
        in_order = EpochOrder(len(test), TEST_BATCH, seed, share, shuffled=False)
        self.test_loader = self._loader(Images(test, centre_view(size), size, seed, substitute=False), in_order, workers)
        self.mean, self.std = (255 * torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))

    def _loader(self, images: Images, order: EpochOrder, workers: int) -> DataLoader:
        return DataLoader(
            images,
            batch_sampler=order,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=together,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else every pass would draw from the process' own
        )

    @property
    def unreadable(self) -> list[str]:
        return [f"{files.root.name}/{files.name(n)}" for files, damaged in zip(self.files, self.damaged) for n in sorted(damaged)]

    def epoch(self, epoch: int) -> Iterator[Batch]:
        self.order.epoch = epoch
        yield from self._batches(0, self.train_loader)

    def test(self) -> Iterator[Batch]:
        yield from self._batches(1, self.test_loader)

    def _batches(self, part: int, loader: DataLoader) -> Iterator[Batch]:
        for images, labels, damaged in loader:
            self.damaged[part].update(damaged)
            x = images.to(self.device, non_blocking=True).float().sub_(self.mean).div_(self.std)
            yield x, labels.to(self.device, non_blocking=True)
        files = self.files[part]
        refuse_many(files.root, [files.name(n) for n in sorted(self.damaged[part])], len(files))


def refuse_many(root: Path, unreadable: list[str], of: int) -> None:
    """Raises DamagedData, with names, where more than 1 % of the files below `root` that are to be read cannot be."""
    if len(unreadable) * 100 > UNREADABLE_PCT * of:
        names = ", ".join(unreadable[:NAMED])
        raise DamagedData(f"{root}: {len(unreadable)} of {of} images cannot be read ({names}, ...). Repair or remove them.")


def source(train: Files, test: Files, size: int, listed: str | None) -> str:
    """What was read, in a sentence."""
    which = f" of the list {listed}" if listed else ""
    return f"{len(train)} training images{which} and {len(test)} test images of {len(train.classes)} classes, {size}x{size} views."


def digest(train: Files, test: Files) -> str:
    """The fingerprint of both, of names, sizes and choice."""
    return hashlib.sha256((train.digest + test.digest).encode()).hexdigest()
