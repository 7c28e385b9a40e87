"""drnas_lib.data.cifar on small files of the real formats, and on the real CIFAR-10 where DRNAS_DATA names it."""

import hashlib
import io
import pickle
from urllib.error import URLError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torchvision import datasets

from drnas_lib.data.sources import load
from drnas_lib.errors import DamagedData, MissingData


def pictures(count: int, seed: int = 0, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)  # N H W C


def encoded(image: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def write_parquet(path, images: list[bytes], labels: list[int], label: str = "label"):
    path.parent.mkdir(parents=True, exist_ok=True)
    column = [{"bytes": image, "path": None} for image in images]
    layout = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"img": pa.array(column, layout), label: pa.array(labels, pa.int64())}), path)


def write_both(root, kind: str = "PNG", name: str = "cifar10", label: str = "label"):
    for part, count in (("train", 6), ("test", 4)):
        images = [encoded(image, kind) for image in pictures(count)]
        write_parquet(root / name / f"{part}.parquet", images, list(range(count)), label)


def test_png_in_parquet_is_read_exactly_and_called_lossless(tmp_path):
    write_both(tmp_path)
    data = load("cifar10", tmp_path)
    assert torch.equal(data.train.images, torch.from_numpy(pictures(6)).permute(0, 3, 1, 2))
    assert data.train.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert (len(data.test.labels), data.classes, data.source) == (4, 10, "cifar10 from local parquet files, lossless.")


def test_jpeg_in_parquet_is_called_lossy_and_read_as_pillow_does(tmp_path):
    write_both(tmp_path, "JPEG")
    data = load("cifar10", tmp_path)
    expected = np.asarray(Image.open(io.BytesIO(encoded(pictures(6)[5], "JPEG"))))
    assert np.array_equal(data.train.images[5].permute(1, 2, 0), expected)
    assert "JPEG, so pixels differ slightly" in data.source


def test_one_jpeg_among_many_is_enough_to_say_so(tmp_path):
    write_both(tmp_path)
    images = [encoded(image, kind) for image, kind in zip(pictures(3), ("PNG", "PNG", "JPEG"))]
    write_parquet(tmp_path / "cifar10" / "test.parquet", images, [0, 1, 2])
    assert "JPEG" in load("cifar10", tmp_path).source


def test_cifar100_has_its_own_label_column(tmp_path):
    write_both(tmp_path, name="cifar100", label="fine_label")
    data = load("cifar100", tmp_path)
    assert (data.train.labels.tolist(), data.classes) == ([0, 1, 2, 3, 4, 5], 100)


def test_grey_images_become_rgb(tmp_path):
    write_both(tmp_path)
    grey = pictures(1)[0][..., 0]
    write_parquet(tmp_path / "cifar10" / "test.parquet", [encoded(grey, "PNG")], [0])
    assert np.array_equal(load("cifar10", tmp_path).test.images[0], np.stack([grey] * 3))


def test_half_a_data_set_is_missing_the_other_half(tmp_path):
    write_both(tmp_path)
    (tmp_path / "cifar10" / "test.parquet").unlink()
    with pytest.raises(MissingData, match=r"test\.parquet is missing"):
        load("cifar10", tmp_path)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-200])


def flip_bits_inside(path):
    content = bytearray(path.read_bytes())
    content[200:4000] = bytes(byte ^ 0xFF for byte in content[200:4000])
    path.write_bytes(content)


def half_an_image(path):
    write_parquet(path, [encoded(pictures(1)[0], "PNG"), encoded(pictures(1)[0], "PNG")[:900]], [0, 1])


def no_image(path):
    write_parquet(path, [b"these are no pixels"], [0])


def another_size(path):
    write_parquet(path, [encoded(pictures(1, size=28)[0], "PNG")], [0])


def sixteen_bits(path):
    image = encoded(np.full((32, 32), 33_000, dtype=np.uint16), "PNG")
    write_parquet(path, [encoded(pictures(1)[0], "PNG"), image], [0, 1])


def no_rows(path):
    write_parquet(path, [], [])


def no_bytes(path):
    write_parquet(path, [None], [0])


def no_label(path):
    write_parquet(path, [encoded(pictures(1)[0], "PNG")], [None])


def label_elsewhere(path):
    write_parquet(path, [encoded(pictures(1)[0], "PNG")], [0], label="class")


def image_elsewhere(path):
    pq.write_table(pa.table({"image": [b""], "label": [0]}), path)


def no_parquet(path):
    path.write_text("<html>404</html>")


OF_THE_FILE = [truncate, flip_bits_inside, no_parquet, no_rows, label_elsewhere, image_elsewhere]
OF_A_ROW = [half_an_image, no_image, another_size, sixteen_bits, no_bytes, no_label]


@pytest.mark.parametrize("damage", OF_THE_FILE + OF_A_ROW, ids=lambda damage: damage.__name__)
def test_damaged_parquet_is_named(tmp_path, damage):
    write_both(tmp_path)
    damage(tmp_path / "cifar10" / "train.parquet")
    with pytest.raises(DamagedData, match=r"train\.parquet"):
        load("cifar10", tmp_path)


PUBLISHED = {
    "cifar10": (datasets.CIFAR10, "labels", "label_names"),
    "cifar100": (datasets.CIFAR100, "fine_labels", "fine_label_names"),
}


@pytest.fixture(params=PUBLISHED)
def published(request, tmp_path, monkeypatch):
    """(name, root): the published pickles with two images a file, and their own MD5 sums in torchvision's place."""
    reader, labels, names = PUBLISHED[request.param]
    folder = tmp_path / reader.base_folder
    folder.mkdir()

    def write(file: str, content: dict) -> str:
        (folder / file).write_bytes(pickle.dumps(content, protocol=2))
        return hashlib.md5((folder / file).read_bytes()).hexdigest()

    for part in ("train_list", "test_list"):
        files = []
        for number, (file, _) in enumerate(getattr(reader, part)):
            data = pictures(2, seed=number).transpose(0, 3, 1, 2).reshape(2, -1)
            files.append([file, write(file, {"data": data, labels: [number, 9]})])
        monkeypatch.setattr(reader, part, files)
    meta = {**reader.meta, "md5": write(reader.meta["filename"], {names: list("abcdefghij")})}
    monkeypatch.setattr(reader, "meta", meta)
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    return request.param, tmp_path


def no_network(*arguments, **named):
    raise URLError("Name or service not known")


def test_the_published_folder_is_read_without_a_network(published, capfd):
    name, root = published
    data = load(name, root)
    batches = {"cifar10": 5, "cifar100": 1}[name]
    assert data.train.labels.tolist() == [label for number in range(batches) for label in (number, 9)]
    expected = np.concatenate([pictures(2, seed=number) for number in range(batches)])
    assert np.array_equal(data.train.images.permute(0, 2, 3, 1), expected)
    assert data.source == f"{name} as published, through torchvision."
    assert capfd.readouterr() == ("", "")


def test_a_damaged_published_folder_is_named(published):
    name, root = published
    file = next(root.glob("*/*batch_1")) if name == "cifar10" else next(root.glob("*/train"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedData, match=f"{file.parent.name} is incomplete or damaged.*Delete it"):
        load(name, root)


@pytest.mark.parametrize("name", PUBLISHED)
def test_without_files_and_network_the_message_says_what_to_do(name, tmp_path, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    with pytest.raises(MissingData) as caught:
        load(name, tmp_path)
    message, reader = str(caught.value), PUBLISHED[name][0]
    for needed in (
        f"{tmp_path / name / 'train.parquet'}",
        f"{tmp_path / name / 'test.parquet'}",
        f"{tmp_path / reader.base_folder}",
        "Name or service not known",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        f"python -c \"from torchvision.datasets import {reader.__name__} as data; data('{tmp_path}', download=True)\"",
        "DRNAS_DATA",
    ):
        assert needed in message
    assert isinstance(caught.value, FileNotFoundError)


def test_the_real_cifar10(data_root):
    data = load("cifar10", data_root)
    assert data.train.images.shape == (50_000, 3, 32, 32)
    assert data.test.images.shape == (10_000, 3, 32, 32)
    assert data.train.labels.bincount().tolist() == [5_000] * 10
    assert data.test.labels.bincount().tolist() == [1_000] * 10
    for half in data.train.labels.split(25_000):  # the search splits in file order: each half must have every class
        assert half.bincount().min() > 2_300
    pixels = data.train.images.float() / 255
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.tensor(data.mean), atol=2e-3, rtol=0)  # lossy or not
    torch.testing.assert_close(pixels.std((0, 2, 3)), torch.tensor(data.std), atol=2e-3, rtol=0)
