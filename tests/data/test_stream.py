"""Tests of drnas_lib.data: image_files, index_lists, stream: real and damaged files, order, repeatability."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from drnas_lib.data.batches import MemoryFeed, Share
from drnas_lib.data.image_files import chosen, open_rgb, scan, train_and_test
from drnas_lib.data.index_lists import draw, main, write
from drnas_lib.data.sources import load
from drnas_lib.data.stream import MEAN, STD, UNREADABLE, StreamFeed, evaluation_transform, train_transform
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.runs.files import PROJECT, RecordError
from tests.data.images import CLASSES, collection, fill, odd_kinds, photographs

CPU = torch.device("cpu")
SIZE, BATCH = 32, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return collection(tmp_path_factory.mktemp("images"))


def feed(folder, workers=0, seed=0, batch_size=BATCH, **changes):
    train, test = train_and_test(folder)
    return StreamFeed(train, test, SIZE, batch_size, seed, CPU, workers, **changes)


def test_scan_lists_class_by_class_in_the_order_of_names(folder):
    files = scan(folder / "train")
    assert files.classes == tuple(f"class{c}" for c in range(CLASSES))
    assert len(files) == 6 * 99 + 6 and np.all(np.diff(files.labels) >= 0)
    names = [files.name(i) for i in range(len(files))]
    assert names == sorted(names) and all(name.startswith(f"class{label}/") for name, label in zip(names, files.labels))


def test_odd_kinds_become_upright_rgb(tmp_path):
    (image,) = photographs(1)
    for name, content in odd_kinds(image).items():
        (tmp_path / name).write_bytes(content)
        found = open_rgb(tmp_path / name)
        assert (found.mode, found.size) == ("RGB", image.size)
        expected = image.convert("L").convert("RGB") if name == "grey.jpg" else image
        error = np.abs(np.asarray(found, dtype=int) - np.asarray(expected, dtype=int)).mean()
        assert error < 12, (name, error)


def test_unreadable_files_are_named_and_never_dropped_in_silence(folder):
    images = feed(folder)
    assert sum(len(y) for _, y in images.epoch(0)) == images.steps * BATCH, "every batch is full: the next image stands in"
    labels = torch.cat([y for _, y in images.test()])
    assert (len(labels), int((labels == UNREADABLE).sum())) == (300, 3)
    names = {"class1/cut.jpg", "class1/empty.jpg", "class1/text.jpg"}
    assert {f"val/{name}" for name in names} <= set(images.unreadable) <= {f"{p}/{n}" for p in ("train", "val") for n in names}


def test_more_than_a_hundredth_unreadable_is_refused(folder, tmp_path):
    for part in ("train", "val"):
        fill(tmp_path / part, 10)
    (tmp_path / "train" / "class0" / "bad.jpg").write_bytes(b"")
    images = feed(tmp_path, batch_size=1)  # every file
    with pytest.raises(DamagedData, match=r"1 \(train/class0/bad.jpg\) of 61 images cannot be read"):
        list(images.epoch(0))


def test_an_epoch_can_be_repeated_and_workers_change_nothing(folder):
    alone, helped = feed(folder), feed(folder, workers=2)
    first = list(alone.epoch(3))
    list(helped.epoch(0))  # the workers live on
    for (x, y), (x2, y2), (x3, _) in zip(first, helped.epoch(3), feed(folder).epoch(3), strict=True):
        assert torch.equal(x, x2) and torch.equal(x, x3) and torch.equal(y, y2)
    assert not torch.equal(first[0][0], next(iter(alone.epoch(4)))[0])
    assert not torch.equal(first[0][0], next(iter(feed(folder, seed=1).epoch(3)))[0])


def test_reading_leaves_the_process_own_random_numbers_alone(folder):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    next(iter(feed(folder).epoch(0)))
    assert torch.equal(torch.rand(3), expected)


def test_shares_make_up_the_batch(folder):
    whole = next(iter(feed(folder).epoch(1)))
    parts = [next(iter(feed(folder, share=Share(rank, 2)).epoch(1))) for rank in (0, 1)]
    for together, first, second in zip(whole, *parts):
        assert torch.equal(together[0::2], first) and torch.equal(together[1::2], second)
    tests = [torch.cat([y for _, y in feed(folder, share=Share(rank, 2)).test()]) for rank in (0, 1)]
    assert sorted(torch.cat(tests).tolist()) == sorted(torch.cat([y for _, y in feed(folder).test()]).tolist())


def test_the_test_view_is_the_middle_of_the_image_normalised(folder):
    x, y = next(iter(feed(folder).test()))
    image = Image.open(folder / "val" / "class0" / "000.jpg")
    short = SIZE * 256 // 224
    width, height = image.size
    size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    top, left = round((size[1] - SIZE) / 2), round((size[0] - SIZE) / 2)
    expected = (resized[top : top + SIZE, left : left + SIZE] / 255 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(x[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    assert y[0] == 0


def test_views_have_the_published_parts():
    described = str(train_transform(224)), str(evaluation_transform(224))
    for part in ("RandomResizedCrop(size=(224, 224)", "RandomHorizontalFlip(p=0.5)", "brightness=(0.6, 1.4)", "hue=(-0.2, 0.2)"):
        assert part in described[0].replace("np.float64", "")
    assert "Resize(size=256" in described[1] and "CenterCrop(size=(224, 224))" in described[1]


def test_lists_are_disjoint_seeded_and_of_every_class(folder):
    files = scan(folder / "train")
    ten, little = draw(files, [10.0, 2.5], seed=0)
    for label, name in enumerate(files.classes):
        count = int((files.labels == label).sum())
        assert (len(ten[name]), len(little[name])) == (round(count * 0.1), max(1, round(count * 0.025)))
        assert not set(ten[name]) & set(little[name]) and set(ten[name]) <= set(range(count))
    assert draw(files, [10.0, 2.5], seed=0) == [ten, little] != draw(files, [10.0, 2.5], seed=1)
    with pytest.raises(ValueError, match="at most 100"):
        draw(files, [90, 20], 0)


def test_the_command_writes_lists_that_a_feed_reads(folder, tmp_path):
    command = [sys.executable, "-m", "drnas_lib.data.index_lists", "--folder", str(folder / "train"), "--out", str(tmp_path / "small")]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    files = scan(folder / "train")
    listed = [chosen(files, tmp_path / f"small_{p}pct_seed0.json") for p in ("10", "2.5")]
    assert [len(some) for some in listed] == [6 * 10 + 0, 6 * 2 + 1], "class1 has 105 files"
    names = [{some.name(i) for i in range(len(some))} for some in listed]
    assert not names[0] & names[1]
    assert all(some.name(i).startswith(f"class{some.labels[i]}/") for some in listed for i in range(len(some)))
    assert len({files.digest, *(some.digest for some in listed)}) == 3


def test_lists_of_equal_size_do_not_overwrite_each_other(folder, tmp_path):
    paths = write(scan(folder / "train"), [40.0, 10.0, 40.0], 0, tmp_path / "x")
    assert [path.name for path in paths] == ["x_40pct-1_seed0.json", "x_10pct_seed0.json", "x_40pct-2_seed0.json"]
    first, _, second = ({some.name(i) for i in range(len(some))} for some in (chosen(scan(folder / "train"), path) for path in paths))
    assert not first & second


def test_a_list_of_other_files_is_refused(folder, tmp_path):
    (path,) = write(scan(folder / "val"), [10], 0, tmp_path / "val")
    with pytest.raises(DamagedData, match="made from other files"):
        chosen(scan(folder / "train"), path)
    path.write_text(json.dumps([1]))
    with pytest.raises(RecordError, match="holds a list"):
        chosen(scan(folder / "train"), path)
    path.write_text(json.dumps({"images": {}}))
    with pytest.raises(DamagedData, match="is not an index list"):
        chosen(scan(folder / "train"), path)
    assert main(["--folder", str(tmp_path / "none"), "--out", "x"]) == 2


def test_folders_that_are_not_there_or_do_not_fit(tmp_path):
    with pytest.raises(MissingData, match="needs the folders train/ and val/"):
        train_and_test(tmp_path)
    fill(tmp_path / "train", 1, classes=2)
    fill(tmp_path / "val", 1, classes=3)
    with pytest.raises(DamagedData, match="class2 in one of them only"):
        train_and_test(tmp_path)
    (tmp_path / "heap").mkdir()
    with pytest.raises(MissingData, match="at least two; found none"):
        scan(tmp_path / "heap")


def test_images_in_memory_feed_the_same_way():
    digits = load("digits", None)
    whole = MemoryFeed(digits, 32, 2, 0, CPU)
    first = [(x.clone(), y) for x, y in whole.epoch(2)]
    assert len(first) == whole.steps == len(digits.train.labels) // 32
    again = MemoryFeed(digits, 32, 2, 0, CPU)
    list(again.epoch(0))
    assert all(torch.equal(x, x2) and torch.equal(y, y2) for (x, y), (x2, y2) in zip(first, again.epoch(2), strict=True))
    parts = [list(MemoryFeed(digits, 32, 2, 0, CPU, Share(rank, 2)).epoch(2)) for rank in (0, 1)]
    assert torch.equal(parts[0][5][0], first[5][0][0::2]) and torch.equal(parts[1][5][1], first[5][1][1::2])
    assert sum(len(y) for _, y in whole.test()) == len(digits.test.labels)
