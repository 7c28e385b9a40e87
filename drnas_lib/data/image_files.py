"""A folder of image files that stays on disk: the files of every class, and lists of some of them."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.runs import integrity

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
IMAGENET = (1_281_167, 1000)  # training images and classes of ILSVRC2012
TRAIN, TESTS = "train", ("val", "test", "valid", "validation")
LAYOUT = "Put the images of each class into a folder of its own, as in FOLDER/cat/*.jpg, FOLDER/dog/*.png."
UNREADABLE_PCT = 1.0  # more than this is not an accident
NAMED = 5  # files, in a message


@dataclass(frozen=True)
class Files:
    """The image files below `root`, class by class and in the order of their names."""

    root: Path
    classes: tuple[str, ...]
    names: np.ndarray  # (N,) bytes relative to `root`: a million strings would be copied into every worker process
    labels: np.ndarray  # (N,) int64
    digest: str  # SHA-256 of names and sizes; the pixels of a million images are not read for it

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        return os.fsdecode(self.names[index])

    def select(self, positions: dict[str, list[int]]) -> "Files":
        """The files at the given positions within each class."""
        starts = np.searchsorted(self.labels, np.arange(len(self.classes)))
        index = np.concatenate([starts[label] + np.array(positions[name]) for label, name in enumerate(self.classes)])
        digest = hashlib.sha256(self.digest.encode() + index.astype(np.int64).tobytes()).hexdigest()
        return Files(self.root, self.classes, self.names[index], self.labels[index], digest)


def scan(root: Path) -> Files:
    """All images of <root>/<class>/. Raises MissingData where there are not two classes, or a class has no image."""
    if not root.is_dir():
        raise MissingData(f"there is no folder {root}. {LAYOUT}")
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    if len(classes) < 2:
        raise MissingData(
            f"{root} needs one folder of images per class, at least two; found {', '.join(classes) or 'none'}. "
            "ImageNet's validation images come in one heap: sort them into folders by their labels first."
        )
    found, labels, digest = [], [], hashlib.sha256()
    for label, name in enumerate(classes):
        images = _images(root / name)
        if not images:
            raise MissingData(f"{root / name} holds no image ({', '.join(ENDINGS)}). Put some there, or remove the folder.")
        for image, size in images:
            found.append(os.fsencode(f"{name}/{image}"))
            digest.update(found[-1] + f" {size}\n".encode())
        labels += [label] * len(images)
    return Files(root, tuple(classes), np.array(found), np.array(labels, dtype=np.int64), digest.hexdigest())


def _images(folder: Path) -> list[tuple[str, int]]:
    """Names below `folder` and sizes in bytes, sorted by name; what is hidden is of systems and editors."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [os.path.join(place, name) for name in names if name.lower().endswith(ENDINGS) and not name.startswith(".")]
        found += [(os.path.relpath(path, folder), os.path.getsize(path)) for path in paths if os.path.isfile(path)]
    return sorted(found, key=lambda image: image[0].split(os.sep))


def only_train(folder: Path) -> Files:
    """<folder>/train/<class>/. Raises MissingData."""
    if not (folder / TRAIN).is_dir():
        raise _lacking(folder)
    return scan(folder / TRAIN)


def train_and_test(folder: Path, test_names: Sequence[str] = TESTS) -> tuple[Files, Files]:
    """<folder>/train/<class>/ and the first folder of `test_names`. Raises MissingData, DamagedData where their classes differ."""
    tests = [folder / name for name in test_names if (folder / name).is_dir()]
    if not tests:
        raise _lacking(folder)
    train, test = only_train(folder), scan(tests[0])
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))
        what = f"the classes of {TRAIN}/ and {tests[0].name}/ differ: {', '.join(odd[:5])} in one of them only"
        raise DamagedData(f"{folder}: {what}. Give both the same folders.")
    return train, test


def _lacking(folder: Path) -> MissingData:
    return MissingData(
        f"{folder} needs the folders {TRAIN}/ and {TESTS[0]}/, each with one folder of images per class; a search reads {TRAIN}/ alone. "
        "ImageNet (ILSVRC2012) is given out at https://image-net.org/download.php to those who register; no command here can fetch it."
    )


def named(files: list[str]) -> str:
    """How many files, and the first of them: '7 (a, b, c, d, e and 2 more)'."""
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{len(files)} ({', '.join(files[:NAMED])}{more})"


def refuse_many(root: Path, unreadable: list[str], total: int) -> None:
    """Raises DamagedData where more than 1 % of the `total` files to read below `root` are unreadable."""
    if len(unreadable) * 100 > UNREADABLE_PCT * total:
        raise DamagedData(f"{root}: {named(unreadable)} of {total} images cannot be read. Repair or remove them.")


def imagenet_reductions(files: Files) -> tuple[str, ...]:
    """How these training images differ from all of ImageNet: nothing, or a sentence."""
    if (len(files), len(files.classes)) == IMAGENET:
        return ()
    return (f"{len(files):,} training images of {len(files.classes):,} classes instead of {IMAGENET[0]:,} of {IMAGENET[1]:,}",)


def listing_digest(files: Files) -> str:
    """SHA-256 of the names alone, by which an index list knows its files."""
    return hashlib.sha256(b"\n".join(files.names.tolist())).hexdigest()


def chosen(files: Files, path: Path) -> Files:
    """The files that an index list names. Raises RecordError, or DamagedData where the list was made from other files."""
    content = integrity.read(path)
    if not {"listing_sha256", "images"} <= content.keys() or not isinstance(content["images"], dict):
        raise DamagedData(f"{path} is not an index list; make one with python -m drnas_lib.data.index_lists")
    if content["listing_sha256"] != listing_digest(files):
        raise DamagedData(f"{path} was made from other files than those in {files.root}. Make it again, or use its own folder.")
    for name, count in zip(files.classes, np.bincount(files.labels, minlength=len(files.classes))):
        positions: Any = content["images"].get(name)
        whole = isinstance(positions, list) and all(type(i) is int and 0 <= i < count for i in positions)
        # A number beyond the class would silently be an image of another one.
        if not whole or not positions or len(set(positions)) < len(positions):
            raise DamagedData(f"{path}: class {name} needs distinct numbers from 0 to {count - 1}. Make the list again.")
    return files.select(content["images"])


def open_rgb(path: Path) -> Image.Image:
    """An image as opaque RGB, upright as the camera was held; grey of 16 bits is scaled. Raises whatever the decoder raises."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))  # convert() would turn all but black white
    elif image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} does not say which value is white")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    return image.convert("RGB")
