"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 pixels, from the published batches."""

import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
import torch

from drnas_lib.data.image_set import ImageSet, Loaded
from drnas_lib.errors import DamagedData, MissingData

FOLDER = "ImageNet16"
CLASSES = 120
TRAIN_MD5 = {
    "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
    "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
    "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
    "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
    "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
    "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
    "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
    "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
    "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
    "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
}
TEST_MD5 = {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}
ARRAYS = {  # the names in pickles of arrays and NumPy numbers, of any version of NumPy and of the pickle protocol
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
}


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers; anything else, which could run code, is refused."""

    def find_class(self, module: str, name: str):
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which no image batch needs")
        return super().find_class(module, name)


def read_imagenet16(root: Path, train: dict[str, str] = TRAIN_MD5, test: dict[str, str] = TEST_MD5) -> Loaded:
    """Train, and the official validation images as test; MD5 sums are checked before unpickling. Raises MissingData, DamagedData."""
    folder = root / FOLDER
    missing = [name for name in (*train, *test) if not (folder / name).exists()]
    if missing:
        raise MissingData(
            f"imagenet16-120: {', '.join(missing)} not found in {folder}. They are published at "
            "https://image-net.org/download-images (downsampled, 16x16; needs an account) and, with the benchmark's "
            "data, through https://github.com/D-X-Y/NAS-Bench-201. With the archives of the former at hand: for part "
            f"in train val; do unzip -j Imagenet16_$part.zip -d '{folder}'; done. DRNAS_DATA=FOLDER names another root."
        )
    source = f"ImageNet16-120 as published, {len(train) + len(test)} files, MD5 checked."
    return _read(folder, train), _read(folder, test), source


def _read(folder: Path, files: dict[str, str]) -> ImageSet:
    images, labels = [], []
    for name, md5 in files.items():
        path = folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedData(f"{path} cannot be read: {error.strerror or error}. Copy it again.") from error
        found = hashlib.md5(content).hexdigest()
        if found != md5:
            raise DamagedData(f"{path}: MD5 {found}, published {md5}. Download it again.")
        try:
            batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
            images.append(np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 16, 16))
            labels.append(np.asarray(batch["labels"], dtype=np.int64))
        except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError) as error:
            raise DamagedData(f"{path} is no batch of images: {error}. Download it again.") from error
    label = np.concatenate(labels)
    chosen = (label >= 1) & (label <= CLASSES)  # published labels run from 1 to 1000
    return ImageSet(torch.from_numpy(np.concatenate(images)[chosen]), torch.from_numpy(label[chosen] - 1))
