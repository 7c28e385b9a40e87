"""CIFAR-10 and CIFAR-100: from local parquet files, or through torchvision from its folder or its download."""

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as pq
import torch
from PIL import Image
from torchvision import datasets

from drnas_lib.data.errors import DamagedData, MissingData
from drnas_lib.data.sources import ImageSet, Loaded

TORCHVISION = {"cifar10": (datasets.CIFAR10, "cifar-10-batches-py"), "cifar100": (datasets.CIFAR100, "cifar-100-python")}
LABELS = ("label", "fine_label")  # the column's name differs between the hub's two data sets
SIZE = 32


def read_cifar(name: str, root: Path) -> Loaded:
    """Train and test. Raises MissingData where neither files nor a network are there, DamagedData for files that cannot be read."""
    files = [root / name / f"{part}.parquet" for part in ("train", "test")]
    if any(file.exists() for file in files):
        parts = [read_parquet(file) for file in files]
        lossy = any(kind == "JPEG" for _, kind in parts)
        note = "JPEG, so pixels differ slightly from the original." if lossy else "lossless."
        return parts[0][0], parts[1][0], f"{name} from local parquet files, {note}"
    reader, folder = TORCHVISION[name]
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress bar would fill the notebook
            train, test = (reader(root, train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError) as error:
        raise MissingData(
            f"{name} is not there and could not be downloaded ({error}). Looked for {files[0]}, {files[1]} and {root / folder}. Either "
            f"unpack the Python version of https://www.cs.toronto.edu/~kriz/cifar.html so that {root / folder} exists, or put parquet "
            f"files with columns img and label at the first two places, or name another root with DRNAS_DATA=FOLDER."
        ) from error
    return _of_torchvision(train), _of_torchvision(test), f"{name} as published, through torchvision."


def _of_torchvision(part) -> ImageSet:
    return ImageSet(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets))


def read_parquet(path: Path) -> tuple[ImageSet, str]:
    """Images and the format they are stored in (PNG, JPEG). Raises MissingData, DamagedData."""
    if not path.exists():
        raise MissingData(f"{path} is missing beside the other part of the data set; both train.parquet and test.parquet are needed")
    try:
        table = pq.read_table(path)
        label = next(column for column in LABELS if column in table.column_names)
        encoded = [row["bytes"] for row in table["img"].to_pylist()]
        labels = torch.from_numpy(np.asarray(table[label].to_pylist(), dtype=np.int64))
        with ThreadPoolExecutor() as pool:
            decoded = list(pool.map(_decode, encoded))
        images = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
        kind = Image.open(io.BytesIO(encoded[0])).format
    except StopIteration:
        raise DamagedData(f"{path}: no column {' or '.join(LABELS)}, found {table.column_names}") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, pyarrow.ArrowException) as error:
        raise DamagedData(f"{path} cannot be read as images and labels: {error}. Copy it again.") from error
    return ImageSet(images, labels), kind


def _decode(content: bytes) -> np.ndarray:
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    if image.shape != (SIZE, SIZE, 3):
        raise ValueError(f"an image of {image.shape[1]}x{image.shape[0]} pixels instead of {SIZE}x{SIZE}")
    return image
