"""Any folder of images: <folder>/<class>/*, or <folder>/train/<class>/* and <folder>/test/<class>/*."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from drnas_lib.data.errors import DamagedData, MissingData
from drnas_lib.data.sources import ImageSet, Loaded, every_fifth

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
UNREADABLE_PCT = 1.0  # more than this is not an accident
NAMED = 5


def read_folder(folder: Path, size: int) -> Loaded:
    """Every image as RGB, upright, its short side scaled to `size` and the centre cropped.

    Without train/ and test/, every fifth image of a class is for testing. Unreadable files are counted and named in the source;
    DamagedData is raised when they are more than 1 % or a class has no other. Raises MissingData for an absent or empty folder.
    """
    parts = [folder / "train", folder / "test"]
    split = all(part.is_dir() for part in parts)
    roots = parts if split else [folder]
    classes = sorted({path.name for root in roots if root.is_dir() for path in root.iterdir() if path.is_dir()})
    if len(classes) < 2:
        raise MissingData(f"{folder} needs one folder of images per class, at least two; found {classes or 'none'}")
    sets, unreadable = [], []
    for root in roots:
        images, damaged = _read(root, classes, size)
        sets.append(images)
        unreadable += damaged
    total = sum(len(part.labels) for part in sets) + len(unreadable)
    if len(unreadable) * 100 > UNREADABLE_PCT * total:
        raise DamagedData(f"{folder}: {_named(unreadable)} of {total} images cannot be read. Repair or remove them.")
    source = f"{total - len(unreadable)} images of {len(classes)} classes from an image folder, {size}x{size}"
    source += f"; {_named(unreadable)} unreadable." if unreadable else "."
    if split:
        return sets[0], sets[1], source
    test = every_fifth(sets[0].labels)
    return *(ImageSet(sets[0].images[choice], sets[0].labels[choice]) for choice in (~test, test)), source


def _read(root: Path, classes: list[str], size: int) -> tuple[ImageSet, list[str]]:
    files = [(path, label) for label, name in enumerate(classes) for path in sorted((root / name).rglob("*")) if path.suffix.lower() in ENDINGS]
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(lambda entry: _decode(entry[0], size), files))
    kept = [(image, label) for image, (_, label) in zip(decoded, files) if image is not None]
    empty = [name for label, name in enumerate(classes) if not any(of == label for _, of in kept)]
    if empty:
        raise DamagedData(f"{root}: no readable image of class {', '.join(empty)}")
    images = torch.from_numpy(np.stack([image for image, _ in kept])).permute(0, 3, 1, 2).contiguous()
    damaged = [str(path.relative_to(root)) for image, (path, _) in zip(decoded, files) if image is None]
    return ImageSet(images, torch.tensor([label for _, label in kept])), damaged


def _decode(path: Path, size: int) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (size, size), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _named(files: list[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{len(files)} ({', '.join(files[:NAMED])}{more})"
