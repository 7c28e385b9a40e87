"""The data sets by name: what each is, and the file that reads it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from drnas_lib.errors import DamagedData


@dataclass(frozen=True)
class ImageSet:
    """`images` uint8 (N, C, H, W) and `labels` int64 (N,), on the CPU."""

    images: Tensor
    labels: Tensor


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
    source: str  # what was read, in a sentence
    fingerprint: str  # SHA-256 of all pixels and labels

    @property
    def channels(self) -> int:
        return self.train.images.shape[1]


TRAIN_COPIES, TEST_COPIES = 2, 8
Loaded = tuple[ImageSet, ImageSet | None, str]  # train, test, source


@dataclass(frozen=True)
class Row:
    """What is known of a data set beforehand; `read(root, folder, size)` brings the rest."""

    read: Callable[[Path, Path | None, int | None], Loaded]
    classes: int | None  # None: as many as are found
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int
    flip: bool = True
    shuffled: bool = True


def load(name: str, root: Path, folder: Path | None = None, image_size: int | None = None) -> Dataset:
    """Read a data set of `DATASETS`; `folder` and `image_size` belong to "folder". Raises MissingData, DamagedData."""
    row = DATASETS[name]
    train, test, source = row.read(root, folder, image_size)
    classes = row.classes or int(train.labels.max()) + 1
    for part, images in (("training", train), ("test", test)):
        if images is not None and (images.labels.min() < 0 or images.labels.max() >= classes):
            found = f"{images.labels.min()} to {images.labels.max()}"
            what = f"labels of the {part} images run from {found}, not 0 to {classes - 1}"
            raise DamagedData(f"{name} in {root}: {what}. Copy the files again.")
    digest = fingerprint(train, test)
    return Dataset(name, train, test, classes, row.mean, row.std, row.pad, row.flip, row.shuffled, source, digest)


def fingerprint(*parts: ImageSet | None) -> str:
    """SHA-256 of shapes, pixels and labels."""
    digest = hashlib.sha256()
    for part in parts:
        if part is not None:
            digest.update(str(tuple(part.images.shape)).encode())
            digest.update(part.images.numpy().tobytes())
            digest.update(part.labels.numpy().tobytes())
    return digest.hexdigest()


def read_digits(root: Path, folder: Path | None, size: int | None) -> Loaded:
    """The 1,797 scans of 8x8 pixels that scikit-learn carries; every fifth image of a class is for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(np.round(bunch.images * (255 / 16)).astype(np.uint8))[:, None]  # N 1 8 8
    labels = torch.from_numpy(bunch.target).long()
    test = every_fifth(labels)
    source = "UCI optical digits as embedded in scikit-learn, 8x8 grey scans."
    return ImageSet(images[~test], labels[~test]), ImageSet(images[test], labels[test]), source


def read_cluttered_digits(root: Path, folder: Path | None, size: int | None) -> Loaded:
    """The same scans amid clutter: two images of each training scan, eight of each test scan, so that no scan is on both sides."""
    from drnas_lib.data.cluttered import cluttered

    train, test, _ = read_digits(root, folder, size)
    parts = [
        ImageSet(cluttered(part.images[:, 0], copies, seed), part.labels.repeat(copies))
        for part, copies, seed in ((train, TRAIN_COPIES, 0), (test, TEST_COPIES, 1))
    ]
    return *parts, "UCI optical digits as embedded in scikit-learn, 16x16: at a random place, size and angle, beside a fragment of another."


def every_fifth(labels: Tensor) -> Tensor:
    """True for every fifth image of each class, in file order: a split that never changes."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero().flatten()[4::5]] = True
    return chosen


def _cifar(name: str) -> Callable[[Path, Path | None, int | None], Loaded]:
    def read(root: Path, folder: Path | None, size: int | None) -> Loaded:
        from drnas_lib.data.cifar import read_cifar

        return read_cifar(name, root)

    return read


def _imagenet16(root: Path, folder: Path | None, size: int | None) -> Loaded:
    from drnas_lib.data.imagenet16 import read_imagenet16

    return read_imagenet16(root)


def _folder(root: Path, folder: Path | None, size: int | None) -> Loaded:
    from drnas_lib.data.folder import read_folder

    return read_folder(folder, size or 32)


DATASETS = {
    "cluttered_digits": Row(read_cluttered_digits, 10, (0.1997,), (0.2962,), pad=2, flip=False),
    "digits": Row(read_digits, 10, (0.3052,), (0.3760,), pad=1, flip=False),
    "cifar10": Row(_cifar("cifar10"), 10, (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768), pad=4),
    "cifar100": Row(_cifar("cifar100"), 100, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), pad=4),
    "imagenet16-120": Row(_imagenet16, 120, (122.68 / 255, 116.66 / 255, 104.01 / 255), (63.22 / 255, 61.26 / 255, 65.09 / 255), pad=2),
    "folder": Row(_folder, None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), pad=4, shuffled=False),
}
