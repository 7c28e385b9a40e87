"""drnas_lib.data.imagenet16 on small pickles of the published form."""

import hashlib
import pickle

import numpy as np
import pytest
import torch

from drnas_lib.data.imagenet16 import FOLDER, TEST_MD5, TRAIN_MD5, read_imagenet16
from drnas_lib.data.sources import load
from drnas_lib.errors import DamagedData, MissingData

TRAIN, TEST = ("train_data_batch_1", "train_data_batch_2"), ("val_data",)
LABELS = (1, 120, 121, 1000, 60)  # two of them beyond the first 120 classes


def batch(seed: int) -> dict:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (len(LABELS), 3 * 16 * 16), dtype=np.uint8)
    return {"data": pixels, "labels": list(LABELS), "mean": generator.random(3 * 16 * 16)}


def write(root, contents: dict, protocol: int = 3) -> dict[str, str]:
    """Write the files; their MD5 sums by name."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in contents}


def write_all(root, protocol: int = 3) -> tuple[dict[str, str], dict[str, str]]:
    train = write(root, {name: batch(number) for number, name in enumerate(TRAIN)}, protocol)
    return train, write(root, {name: batch(9) for name in TEST}, protocol)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_first_120_classes_counted_from_zero(tmp_path, protocol):
    train, test, source = read_imagenet16(tmp_path, *write_all(tmp_path, protocol))
    assert train.labels.tolist() == [0, 119, 59] * 2
    expected = np.concatenate([batch(number)["data"][[0, 1, 4]] for number in (0, 1)])
    assert np.array_equal(train.images.flatten(1), expected)
    assert (train.images.shape, train.images.dtype, test.labels.tolist()) == ((6, 3, 16, 16), torch.uint8, [0, 119, 59])
    assert "3 files, MD5 checked" in source


def test_missing_files_are_named_with_where_to_get_them(tmp_path):
    (tmp_path / FOLDER).mkdir()
    for name in TRAIN_MD5:
        (tmp_path / FOLDER / name).touch()
    (tmp_path / FOLDER / "train_data_batch_7").unlink()
    with pytest.raises(MissingData) as caught:
        load("imagenet16-120", tmp_path)
    message = str(caught.value)
    missing = "train_data_batch_7, val_data not found"
    for needed in (missing, str(tmp_path / FOLDER), "image-net.org", "unzip", "DRNAS_DATA"):
        assert needed in message
    assert "train_data_batch_6" not in message


def test_another_md5_is_refused_before_unpickling(tmp_path):
    write_all(tmp_path)
    (tmp_path / FOLDER / TRAIN[0]).write_bytes(b"no pickle at all")
    published = TRAIN_MD5[TRAIN[0]]
    with pytest.raises(DamagedData, match=rf"train_data_batch_1: MD5 \w{{32}}, published {published}"):
        read_imagenet16(tmp_path, {TRAIN[0]: published}, {TEST[0]: TEST_MD5[TEST[0]]})


class Creates:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    train, test = write_all(tmp_path)
    train |= write(tmp_path, {TRAIN[1]: batch(1) | {"mean": Creates(tmp_path / "created")}})
    with pytest.raises(DamagedData, match=r"train_data_batch_2 is no batch of images: the file asks for .*open"):
        read_imagenet16(tmp_path, train, test)
    assert not (tmp_path / "created").exists()


NO_LABELS = {"data": batch(0)["data"]}
ODD_SIZE = {"data": np.zeros((5, 100)), "labels": [1] * 5}


@pytest.mark.parametrize("content", [NO_LABELS, ODD_SIZE, [1, 2]], ids=["no labels", "odd size", "a list"])
def test_a_pickle_of_something_else_is_named(tmp_path, content):
    train, test = write_all(tmp_path)
    train |= write(tmp_path, {TRAIN[0]: content})
    with pytest.raises(DamagedData, match="train_data_batch_1"):
        read_imagenet16(tmp_path, train, test)


def test_all_files_of_the_publication_are_checked():
    assert list(TRAIN_MD5) == [f"train_data_batch_{number}" for number in range(1, 11)]
    assert all(len(md5) == 32 for md5 in (TRAIN_MD5 | TEST_MD5).values())
    assert len(set((TRAIN_MD5 | TEST_MD5).values())) == 11
