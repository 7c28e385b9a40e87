"""A folder of real photographs as files, and every kind of file that a large collection holds besides."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

ORIENTATION = 0x0112  # the EXIF tag; 6: turned by a quarter
CLASSES = 6


def photographs(count: int, seed: int = 0) -> list[Image.Image]:
    """Parts of scikit-learn's two sample photographs, 48 to 95 pixels a side."""
    draw = np.random.default_rng(seed)
    whole = [Image.fromarray(image) for image in load_sample_images().images]
    parts = []
    for i in range(count):
        width, height = draw.integers(48, 96, 2)
        left, top = draw.integers(0, 640 - width), draw.integers(0, 427 - height)
        parts.append(whole[i % 2].crop((left, top, left + width, top + height)))
    return parts


def fill(root: Path, per_class: int, seed: int = 0, classes: int = CLASSES) -> None:
    """<root>/class<c>/<n>.jpg: photographs, a digit of the class pasted on each."""
    digits, parts = load_digits(), photographs(per_class * classes, seed)
    for label in range(classes):
        (root / f"class{label}").mkdir(parents=True)
        scans = digits.images[digits.target == label]
        for n in range(per_class):
            image = parts[label * per_class + n]
            image.paste(Image.fromarray((scans[n % len(scans)] * 16).clip(0, 255).astype(np.uint8)).resize((40, 40)))
            image.save(root / f"class{label}" / f"{n:03d}.jpg", quality=90)


def collection(root: Path) -> Path:
    """An ImageNet-style folder of 600 training and 300 test files in six classes: three damaged in each, odd kinds among them."""
    for part, per_class, seed in (("train", 99, 0), ("val", 49, 1)):
        fill(root / part, per_class, seed)
        (image,) = photographs(1, seed + 7)
        for name, content in (odd_kinds(image) | damaged(image)).items():
            (root / part / "class1" / name).write_bytes(content)
    return root


def jpeg(image: Image.Image, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", **options)
    return content.getvalue()


def rotated(image: Image.Image) -> bytes:
    """`image` as a camera held on its side stores it: turned, with a tag that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return jpeg(image.rotate(90, expand=True), exif=exif, quality=95)


def odd_kinds(image: Image.Image) -> dict[str, bytes]:
    """Readable files that are no plain RGB JPEG."""
    return {"grey.jpg": jpeg(image.convert("L")), "cmyk.jpg": jpeg(image.convert("CMYK")), "turned.jpg": rotated(image)}


def damaged(image: Image.Image) -> dict[str, bytes]:
    """Files with the name of an image that are none."""
    whole = jpeg(image)
    return {"cut.jpg": whole[: len(whole) // 2], "empty.jpg": b"", "text.jpg": b"not found"}
