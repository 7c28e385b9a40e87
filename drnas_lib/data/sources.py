"""The data sets by name: reader, channel means, crop and mirror of each. A new one is a row here; docs/your_data.md says what else."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from drnas_lib.data.augment import IMAGENET, Augment
from drnas_lib.data.cifar import read_cifar
from drnas_lib.data.digits import read_cluttered_digits, read_digits
from drnas_lib.data.folder import read_folder
from drnas_lib.data.image_set import ImageSet, Loaded, fingerprint, subset
from drnas_lib.data.imagenet16 import read_imagenet16
from drnas_lib.errors import DamagedData
from drnas_lib.runs.files import resolve


@dataclass(frozen=True)
class Dataset:
    """A data set as read. `shuffled`: the order of its files is random, so a split may follow it."""

    name: str
    train: ImageSet
    test: ImageSet | None
    classes: int
    mean: tuple[float, ...]  # per channel, of pixels 0..1
    std: tuple[float, ...]
    pad: int  # zeros around an image before it is cropped
    flip: bool  # a mirrored image is an image of the same class
    shuffled: bool
    source: str  # a sentence that says what was read
    fingerprint: str  # SHA-256 of all pixels and labels
    reduced: tuple[str, ...] = ()  # why it is less than the data set of this name: never

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]

    def with_train_subset(self, amount: int | None) -> Self:
        """The data set with `amount` of its training images, None: all. Raises ValueError where there are fewer."""
        return self if amount is None else replace(self, train=subset(self.train, amount, 0))

    def augmentation(self, cutout: int) -> Augment:
        """Random crops, mirror images and cutout for its images, and their normalisation."""
        return Augment(self.train.images.shape[-1], self.pad, self.flip, cutout, self.mean, self.std)


@dataclass(frozen=True)
class Row:
    """The facts about a data set that are known beforehand; `read(root, folder, size)` returns its images."""

    read: Callable[[Path, Path | None, int | None], Loaded]
    classes: int | None  # None: as many as are found
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int
    flip: bool = True
    shuffled: bool = True


def load(name: str, root: Path, folder: str | Path | None = None, image_size: int | None = None) -> Dataset:
    """Read a data set of `DATASETS`; `folder` and `image_size` belong to "folder". Raises MissingData, DamagedData."""
    row = DATASETS[name]
    train, test, source = row.read(root, resolve(folder) if folder else None, image_size)
    classes = row.classes or int(train.labels.max()) + 1
    for part, images in (("training", train), ("test", test)):
        if images is not None and (images.labels.min() < 0 or images.labels.max() >= classes):
            found = f"labels of the {part} images run from {images.labels.min()} to {images.labels.max()}, not 0 to {classes - 1}"
            raise DamagedData(f"{name} in {root}: {found}. Copy the files again.")
    digest = fingerprint(train, test)
    return Dataset(name, train, test, classes, row.mean, row.std, row.pad, row.flip, row.shuffled, source, digest)


DATASETS = {
    "cluttered_digits": Row(lambda *_: read_cluttered_digits(), 10, (0.1997,), (0.2962,), pad=2, flip=False),
    "digits": Row(lambda *_: read_digits(), 10, (0.3052,), (0.3760,), pad=1, flip=False),
    "cifar10": Row(
        lambda root, *_: read_cifar("cifar10", root), 10, (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768), pad=4
    ),
    "cifar100": Row(lambda root, *_: read_cifar("cifar100", root), 100, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), pad=4),
    "imagenet16-120": Row(
        lambda root, *_: read_imagenet16(root),
        120,
        (122.68 / 255, 116.66 / 255, 104.01 / 255),
        (63.22 / 255, 61.26 / 255, 65.09 / 255),
        pad=2,
    ),
    "folder": Row(lambda root, folder, size: read_folder(folder or root / "folder", size or 32), None, *IMAGENET, pad=4, shuffled=False),
}
