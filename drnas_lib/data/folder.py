"""Any folder of images: <folder>/<class>/*, or <folder>/train/<class>/* and <folder>/test/<class>/*."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from drnas_lib.data.image_files import ENDINGS, named, open_rgb, refuse_many
from drnas_lib.data.image_set import ImageSet, Loaded, every_fifth
from drnas_lib.errors import DamagedData, MissingData

TEST_NAMES = ("test", "val", "valid", "validation")
LAYOUT = "Put the images of each class into a folder of its own, as in FOLDER/cat/*.jpg, FOLDER/dog/*.png."
FEWEST = 5  # images of a class from which every fifth can be taken


def read_folder(folder: Path, size: int) -> Loaded:
    """Every image as RGB, upright, its short side scaled to `size` and the centre cropped.

    Without train/, every fifth image of a class is for testing. Unreadable files are counted and named in the source.
    Raises DamagedData where they are more than 1 % or a class has too few others; MissingData for an absent or empty folder, or one that
    has train/ but nothing to test on.
    """
    if not folder.is_dir():
        raise MissingData(f"there is no folder {folder}. {LAYOUT}")
    roots = _parts(folder)
    classes = sorted({path.name for root in roots for path in root.glob("[!.]*") if path.is_dir()})  # hidden: of systems and editors
    if len(classes) < 2:
        raise MissingData(f"{folder} needs one folder of images per class, at least two; found {', '.join(classes) or 'none'}. {LAYOUT}")
    parts = [_read(root, classes, size, fewest=1 if len(roots) == 2 else FEWEST) for root in roots]
    unreadable = [name for _, damaged in parts for name in damaged]
    if len(parts) == 2:
        train, test = parts[0][0], parts[1][0]
    else:
        whole = parts[0][0]
        chosen = every_fifth(whole.labels)
        train, test = whole[~chosen], whole[chosen]
    readable = len(train.labels) + len(test.labels)
    refuse_many(folder, unreadable, readable + len(unreadable))
    source = f"{readable} images of {len(classes)} classes from an image folder, {size}x{size}"
    return train, test, source + (f"; {named(unreadable)} unreadable." if unreadable else ".")


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
        because = f"; unreadable: {named(damaged)}" if damaged else ""
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
