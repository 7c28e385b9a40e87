"""Any folder of images, held in memory: <folder>/<class>/*, or <folder>/train/<class>/* and <folder>/test/<class>/*."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from drnas_lib.data.image_files import TRAIN, Files, named, open_rgb, refuse_many, scan, train_and_test
from drnas_lib.data.image_set import ImageSet, Loaded, every_fifth
from drnas_lib.errors import DamagedData, MissingData

TEST_NAMES = ("test", "val", "valid", "validation")
FEWEST = 5  # images of a class from which every fifth can be taken


def read_folder(folder: Path, size: int) -> Loaded:
    """Every image as RGB, upright, its short side scaled to `size` and the centre cropped.

    Without train/, every fifth image of a class is for testing. Unreadable files are counted and named in the source. Raises DamagedData
    where they are more than 1 % or a class has too few others; MissingData for a folder that is absent, or has no images or only train/.
    """
    split = (folder / TRAIN).is_dir()
    if split and not any((folder / name).is_dir() for name in TEST_NAMES):
        wanted = f"Add {'/, '.join(TEST_NAMES)}/, or move the classes out of {TRAIN}/: then every fifth image is for testing."
        raise MissingData(f"{folder} has {TRAIN}/ but nothing beside it to test on. {wanted}")
    files = train_and_test(folder, TEST_NAMES) if split else (scan(folder),)
    parts = [_read(part, size, fewest=1 if split else FEWEST) for part in files]
    unreadable, total = [name for _, damaged in parts for name in damaged], sum(map(len, files))
    refuse_many(folder, unreadable, total)
    train, test = parts[0][0], parts[-1][0]
    if not split:
        chosen = every_fifth(train.labels)
        train, test = train[~chosen], train[chosen]
    source = f"{total - len(unreadable)} images of {len(files[0].classes)} classes from an image folder, {size}x{size}"
    return train, test, source + (f"; {named(unreadable)} unreadable." if unreadable else ".")


def _read(files: Files, size: int, fewest: int) -> tuple[ImageSet, list[str]]:
    """The images and the names of the files that cannot be read."""
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(lambda number: _decode(files.root / files.name(number), size), range(len(files))))
    readable = np.array([image is not None for image in decoded])
    damaged, labels = [files.name(number) for number, whole in enumerate(readable) if not whole], files.labels[readable]
    counts = np.bincount(labels, minlength=len(files.classes))
    scarce = [f"{name} ({count})" for name, count in zip(files.classes, counts) if count < fewest]
    if scarce:
        because = f"; unreadable: {named(damaged)}" if damaged else ""
        what = f"each class needs {fewest} readable images; see {', '.join(scarce)}{because}"
        raise DamagedData(f"{files.root}: {what}. Add images to these classes, or remove them.")
    images = np.stack([image for image in decoded if image is not None])
    return ImageSet(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)), damaged


def _decode(path: Path, size: int) -> np.ndarray | None:
    """(size, size, 3) uint8, or None for a file that cannot be read."""
    try:
        return np.asarray(ImageOps.fit(open_rgb(path), (size, size), Image.Resampling.BILINEAR))
    except Exception:  # decoders raise whatever the damaged bytes lead them to
        return None
