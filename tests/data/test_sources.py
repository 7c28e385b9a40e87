"""drnas_lib.data.sources: the rows, the embedded digits, fingerprints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from drnas_lib.data.image_set import ImageSet, every_fifth, fingerprint
from drnas_lib.data.sources import DATASETS, Row, load
from drnas_lib.errors import DamagedData

NOWHERE = Path("no-such-folder")


def test_digits_are_the_scans_of_scikit_learn():
    digits = load("digits", NOWHERE)
    scans, labels = load_digits(return_X_y=True)
    found = torch.cat([digits.train.images, digits.test.images]).flatten(1).double() * (16 / 255)
    assert digits.train.images.shape[1:] == (1, 8, 8)
    assert (digits.train.images.dtype, digits.train.labels.dtype) == (torch.uint8, torch.int64)
    assert sorted(map(tuple, found.round().tolist())) == sorted(map(tuple, scans.tolist()))  # none lost, none twice
    counts = torch.cat([digits.train.labels, digits.test.labels]).bincount()
    assert counts.tolist() == np.bincount(labels).tolist()


def test_digits_are_split_evenly_and_always_alike():
    first, again = load("digits", NOWHERE), load("digits", NOWHERE)
    assert first.fingerprint == again.fingerprint
    counts = first.train.labels.bincount(), first.test.labels.bincount()
    assert (counts[1] == (counts[0] + counts[1]) // 5).all()
    assert (len(first.train.labels), len(first.test.labels), first.classes) == (1442, 355, 10)


def test_digits_have_no_mirror_image_and_are_normalised():
    digits = load("digits", NOWHERE)
    assert (digits.flip, digits.pad) == (False, 1)
    pixels = digits.train.images.double() / 255
    assert abs(pixels.mean() - digits.mean[0]) < 1e-4
    assert abs(pixels.std() - digits.std[0]) < 1e-4


@pytest.mark.parametrize("name", DATASETS)
def test_means_and_deviations_are_on_the_scale_of_one(name):
    row = DATASETS[name]
    assert len(row.mean) == len(row.std)
    assert all(0.15 < value < 0.6 for value in (*row.mean, *row.std))


def test_every_fifth_of_each_class():
    labels = torch.tensor([0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0])
    chosen = every_fifth(labels)  # the fifth and tenth 0, the fifth 1
    assert chosen.nonzero().flatten().tolist() == [6, 12, 14]


def tiny(labels: list[int]) -> ImageSet:
    return ImageSet(torch.arange(len(labels) * 12, dtype=torch.uint8).view(-1, 3, 2, 2), torch.tensor(labels))


def test_fingerprint_sees_pixels_labels_order_and_parts():
    images = tiny([0, 1, 2])
    pixel = images.images.clone()
    pixel[1, 2, 0, 1] += 1
    other = [
        (ImageSet(pixel, images.labels), None),
        (ImageSet(images.images, torch.tensor([0, 2, 1])), None),
        (ImageSet(images.images.flip(0), images.labels.flip(0)), None),
        (ImageSet(images.images.view(3, 3, 4, 1), images.labels), None),
        (images, tiny([1])),
    ]
    prints = {fingerprint(*parts) for parts in [(images, None), *other]}
    assert len(prints) == 6
    assert fingerprint(tiny([0, 1, 2]), None) in prints
    assert all(len(digest) == 64 for digest in prints)


@pytest.mark.parametrize("labels, found", [([0, 1, 3], "0 to 3"), ([-1, 0, 1], "-1 to 1")])
def test_labels_outside_the_classes_are_refused(monkeypatch, labels, found):
    row = Row(lambda root, folder, size: (tiny([0, 1, 2]), tiny(labels), "made up"), 3, (0.5,) * 3, (0.5,) * 3, pad=1)
    monkeypatch.setitem(DATASETS, "made-up", row)
    with pytest.raises(DamagedData, match=f"labels of the test images run from {found}, not 0 to 2"):
        load("made-up", NOWHERE)
