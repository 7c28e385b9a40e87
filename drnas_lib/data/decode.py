"""An image file of any common kind as upright RGB."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def open_rgb(path: Path) -> Image.Image:
    """Grey, CMYK, palette and 16-bit images become RGB, transparency falls away, a camera's rotation is applied.

    Raises whatever the decoder raises for a file that is no whole image.
    """
    with Image.open(path) as image:
        return _rgb(ImageOps.exif_transpose(image))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))  # convert() would turn all but black white
    elif image.mode in ("I", "F"):
        raise ValueError(f"mode {image.mode} does not say which value is white")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    return image.convert("RGB")
