"""drnas_lib.data.digits and the cluttered data set: deterministic, of disjoint scans, as it says it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from drnas_lib.data import digits
from drnas_lib.data.digits import TEST_COPIES, TRAIN_COPIES
from drnas_lib.data.sources import load

NOWHERE = Path("nowhere")
FINGERPRINT = "17ee17116f1c779771f9ede042dde709d1bee993819d1b751bf98b9e99818a6c"


@pytest.fixture(scope="module")
def dataset():
    return load("cluttered_digits", NOWHERE)


def test_it_is_always_the_same_data_set(dataset):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        np.random.seed(7)
        again = load("cluttered_digits", NOWHERE)
    assert again.fingerprint == dataset.fingerprint == FINGERPRINT, "records and results name these very images"


def test_images_of_training_and_test_come_from_different_scans(dataset):
    scans = load("digits", NOWHERE)
    assert dataset.train.images.shape == (TRAIN_COPIES * len(scans.train.labels), 1, 16, 16) and dataset.train.images.dtype == torch.uint8
    assert len(dataset.test.labels) == TEST_COPIES * len(scans.test.labels) > 2000
    assert torch.equal(dataset.train.labels, scans.train.labels.repeat(TRAIN_COPIES))
    assert torch.equal(dataset.test.labels, scans.test.labels.repeat(TEST_COPIES))


def test_it_is_normalised_by_its_training_part(dataset):
    pixels = dataset.train.images.double() / 255
    assert abs(pixels.mean() - dataset.mean[0]) < 1e-4 and abs(pixels.std() - dataset.std[0]) < 1e-4
    assert (dataset.flip, dataset.classes) == (False, 10)


def test_a_scan_is_wholly_inside_and_keeps_its_brightness():
    full = torch.full((200, 8, 8), 255, dtype=torch.uint8)
    images = digits.placed(full.double(), np.random.RandomState(0))
    corner = digits.SIZES[1] / 2 * (2**0.5 - 1)  # by which a turned square may reach over its upright one
    assert images.max() > 250
    areas = images.sum((1, 2)) / 255
    least, most = (side**2 for side in digits.SIZES)
    assert areas.min() > least - 2 * 4 * corner and areas.max() < most + 1


def test_images_are_scans_with_something_of_others():
    """The same scan with and without: clutter only adds, and mostly does, as it may lie behind the scan."""
    scans = torch.zeros(50, 8, 8, dtype=torch.uint8)
    scans[:, 2:6, 2:6] = 200
    images = digits.cluttered(scans, 1, seed=3)[:, 0].double()
    alone = digits.placed(scans.double(), np.random.RandomState(3)).round()
    assert (images >= alone).all() and ((images > alone).flatten(1).any(1)).float().mean() > 0.7
