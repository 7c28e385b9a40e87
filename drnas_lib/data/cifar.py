"""CIFAR-10 and CIFAR-100: from local parquet files, or through torchvision from its folder or its download.

The functions that need torchvision import it: that takes two seconds, for which no other data set has to wait.
"""

import contextlib
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as pq
import torch
from torch import Tensor

from drnas_lib.data.image_set import ImageSet, Loaded
from drnas_lib.errors import DamagedData, MissingData

CLASSES = {"cifar10": "CIFAR10", "cifar100": "CIFAR100"}  # of torchvision.datasets
PUBLISHED = "https://www.cs.toronto.edu/~kriz/cifar.html"
IMAGE = "img"
LABELS = ("label", "fine_label")  # the column's name differs between the hub's two data sets
JPEG = b"\xff\xd8\xff"  # the first bytes of such a file
SIZE = 32
SUMS = "SHA256SUMS"  # beside parquet files: the sums that `sha256sum *.parquet` once found


def read_cifar(name: str, root: Path) -> Loaded:
    """Train and test from parquet files, if one of both is there, or else as published. Raises MissingData, DamagedData."""
    files = [root / name / f"{part}.parquet" for part in ("train", "test")]
    if not any(file.exists() for file in files):
        return _published(name, root, files)
    (train, train_lossy), (test, test_lossy) = (read_parquet(file) for file in files)
    stored = "stored as JPEG, so pixels differ slightly from the original" if train_lossy or test_lossy else "lossless"
    checked = f", checked by {SUMS}" if files[0].with_name(SUMS).exists() else ""
    return train, test, f"{name} from local parquet files, {stored}{checked}."


def _published(name: str, root: Path, looked_for: list[Path]) -> Loaded:
    from torchvision import datasets

    reader = getattr(datasets, CLASSES[name])
    folder = root / reader.base_folder
    there = folder.exists()
    if not there:
        print(f"Downloading {reader.url} to {root}", file=sys.stderr, flush=True)  # a run on several processes reads their output
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar would fill the notebook
            parts = [reader(root, train=part, download=True) for part in (True, False)]
    except (OSError, RuntimeError) as error:
        if there:
            raise DamagedData(
                f"{folder} is incomplete or damaged by its MD5 sums and could not be downloaded again ({error}). "
                f"Delete it, then unpack {reader.filename} from {PUBLISHED} in its place."
            ) from error
        raise MissingData(
            f"{name} is not there and could not be downloaded ({error}). Looked for "
            f"{', '.join(map(str, looked_for))} and {folder}. Published at {PUBLISHED}; where there is a network, "
            f'this gets it: python -c "from torchvision.datasets import {reader.__name__} as data; '
            f"data('{root}', download=True)\". Parquet files with the columns img and label do as well. "
            "DRNAS_DATA=FOLDER names another root."
        ) from error
    images = [torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in parts]
    train, test = (ImageSet(of_part, torch.tensor(part.targets)) for of_part, part in zip(images, parts))
    return train, test, f"{name} as published, through torchvision."


def check_sum(path: Path) -> bool:
    """True if SHA256SUMS beside `path` has its sum, False where there is no such file or line. Raises DamagedData for another sum."""
    sums = path.with_name(SUMS)
    if not sums.exists():
        return False
    try:
        lines = (line.partition(" ") for line in sums.read_text(errors="replace").splitlines())
        expected = {name.lstrip(" *").removeprefix("./"): digest for digest, _, name in lines}.get(path.name)
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedData(f"{path} cannot be checked by {sums}: {error}") from error
    if expected is not None and found != expected.lower():
        raise DamagedData(f"{path}: SHA-256 {found}, by {sums} it was {expected}. Copy it again, or correct {SUMS}.")
    return expected is not None


def read_parquet(path: Path) -> tuple[ImageSet, bool]:
    """The images of a file in the hub's layout, and whether any of them is stored with loss. Raises MissingData, DamagedData."""
    if not path.exists():
        raise MissingData(f"{path} is missing, and both train.parquet and test.parquet are needed. Put it beside the other one.")
    check_sum(path)
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        label = next((column for column in LABELS if column in table.column_names), None)
        if label is None or IMAGE not in table.column_names:
            needed, found = f"{IMAGE} and {' or '.join(LABELS)}", ", ".join(table.column_names) or "none"
            raise DamagedData(f"{path} needs the columns {needed}, found {found}. Rename its columns, or use another file.")
        encoded = [row["bytes"] for row in table[IMAGE].to_pylist()]
        labels = torch.from_numpy(np.asarray(table[label].to_pylist(), dtype=np.int64))
        images = torch.stack([_decode(content, row) for row, content in enumerate(encoded)])
    except DamagedData:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        raise DamagedData(f"{path} cannot be read as images and labels, copy it again: {error}") from error
    return ImageSet(images, labels), any(content.startswith(JPEG) for content in encoded)


def _decode(content: bytes, row: int) -> Tensor:
    """uint8 (3, 32, 32)."""
    from torchvision.io import ImageReadMode, decode_image

    try:  # torchvision's decoder gives the pixels that Pillow does, on images this small four times as fast
        image = decode_image(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.RGB)  # C H W
    except RuntimeError as error:
        raise ValueError(f"row {row} holds no whole image") from error
    if image.dtype != torch.uint8 or image.shape != (3, SIZE, SIZE):
        found = f"{image.shape[2]}x{image.shape[1]} pixels of {image.dtype}"
        raise ValueError(f"row {row} holds an image of {found} instead of {SIZE}x{SIZE} of {torch.uint8}")
    return image
