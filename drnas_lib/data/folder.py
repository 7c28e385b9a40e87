"""Any folder of images: <folder>/<class>/*, or <folder>/train/<class>/* and <folder>/test/<class>/*."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from drnas_lib.data.image_files import open_rgb
from drnas_lib.data.sources import ImageSet, Loaded, every_fifth
from drnas_lib.errors import DamagedData, MissingData

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
TEST_NAMES = ("test", "val", "valid", "validation")
UNREADABLE_PCT = 1.0  # more than this is not an accident
NAMED = 5
LAYOUT = "Put the images of each class into a folder of its own, as in FOLDER/cat/*.jpg, FOLDER/dog/*.png."
FEWEST = 5  # images of a class from which every fifth can be taken


def read_folder(folder: Path, size: int) -> Loaded:
    """Every image as RGB, upright, its short side scaled to `size` and the centre cropped.

    Without train/, every fifth image of a class is for testing. Unreadable files are counted and named in the source.
    Raises DamagedData when they are more than 1 % or a class has too few others; MissingData for an absent or empty
    folder, or one that has train/ but nothing to test on.
    """
    if not folder.is_dir():
        raise MissingData(f"there is no folder {folder}. {LAYOUT}")
    roots = _parts(folder)
    classes = sorted({path.name for root in roots for path in _entries(root) if path.is_dir()})
    if len(classes) < 2:
        raise MissingData(f"{folder} needs one folder of images per class, at least two; found {', '.join(classes) or 'none'}. {LAYOUT}")
    sets, unreadable = [], []
    for root in roots:
        images, damaged = _read(root, classes, size, fewest=1 if len(roots) == 2 else FEWEST)
        sets.append(images)
        unreadable += damaged
    total = sum(len(part.labels) for part in sets) + len(unreadable)
    if len(unreadable) * 100 > UNREADABLE_PCT * total:
        raise DamagedData(f"{folder}: {_named(unreadable)} of {total} images cannot be read. Repair or remove them.")
    source = f"{total - len(unreadable)} images of {len(classes)} classes from an image folder, {size}x{size}"
    source += f"; {_named(unreadable)} unreadable." if unreadable else "."
    if len(roots) == 2:
        return sets[0], sets[1], source
    test = every_fifth(sets[0].labels)
    return *(ImageSet(sets[0].images[choice], sets[0].labels[choice]) for choice in (~test, test)), source


def _parts(folder: Path) -> list[Path]:
    """The folder itself, or its parts for training and for testing."""
    if not (folder / "train").is_dir():
        return [folder]
    tests = [folder / name for name in TEST_NAMES if (folder / name).is_dir()]
    if not tests:
        raise MissingData(
            f"{folder} has train/ but no {'/, '.join(TEST_NAMES)}/ beside it to test on. Add one, or move the classes out of train/: then "
            "every fifth image is for testing."
        )
    return [folder / "train", tests[0]]


def _entries(root: Path) -> list[Path]:
    """What is in a folder, in order, without the hidden files that systems and editors leave there."""
    return sorted(root.glob("[!.]*"))


def _read(root: Path, classes: list[str], size: int, fewest: int) -> tuple[ImageSet, list[str]]:
    """The images below `root` and the names of those that cannot be read."""
    files = [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((root / name).rglob("*"))
        if path.suffix.lower() in ENDINGS and not any(part.startswith(".") for part in path.relative_to(root).parts)
    ]
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(lambda entry: _decode(entry[0], size), files))
    damaged = [str(path.relative_to(root)) for image, (path, _) in zip(decoded, files) if image is None]
    kept = [(image, label) for image, (_, label) in zip(decoded, files) if image is not None]
    counts = np.bincount([label for _, label in kept], minlength=len(classes))
    scarce = [f"{name} ({count})" for name, count in zip(classes, counts) if count < fewest]
    if scarce:
        because = f"; unreadable: {_named(damaged)}" if damaged else ""
        what = f"each class needs {fewest} readable images; see {', '.join(scarce)}{because}"
        raise DamagedData(f"{root}: {what}. Add images to these classes, or remove them.")
    images = torch.from_numpy(np.stack([image for image, _ in kept])).permute(0, 3, 1, 2).contiguous()
    return ImageSet(images, torch.tensor([label for _, label in kept])), damaged


def _decode(path: Path, size: int) -> np.ndarray | None:
    """(size, size, 3) uint8, or None for a file that cannot be read."""
    try:
        return np.asarray(ImageOps.fit(open_rgb(path), (size, size), Image.Resampling.BILINEAR))
    except Exception:  # decoders raise whatever the damaged bytes lead them to
        return None


def _named(files: list[str]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{len(files)} ({', '.join(files[:NAMED])}{more})"
