"""drnas_lib.collection.speed.steps: both sides take the steps that they are timed for."""

import pytest
import torch

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.plain import PlainSearch, implementations
from drnas_lib.collection.speed.steps import ours, paper_memory, random_dataset, settings, steps_per_round
from drnas_lib.config.parameters import ParameterError

CPU = torch.device("cpu")
SMALL = SpeedConfig(cells=1, channels=4, batch_size=8, ks=[1], images=64, device="cpu")
DARTS = SpeedConfig(space="darts", cells=3, channels=4, batch_size=8, ks=[2], images=64, device="cpu")
SPACES = ["nb201", "darts"]


@pytest.mark.parametrize("config", [SMALL, DARTS], ids=["nb201", "darts"])
def test_the_plain_search_moves_eta_and_weights(config):
    dataset = random_dataset(64)
    search = PlainSearch(settings(config, config.ks[0]), dataset, CPU)
    eta, weights = search.eta.detach().clone(), [p.detach().clone() for p in search.net.parameters()]
    rows = list(search.steps(3))
    assert len(rows) == 3 and all(0 < loss < 10 and 0 <= accuracy <= 100 for loss, accuracy in rows)
    assert not torch.equal(eta, search.eta) and not any(torch.equal(a, b) for a, b in zip(weights, search.net.parameters()))


def test_its_images_are_crops_and_mirror_images_of_the_originals():
    dataset = random_dataset(64)
    search = PlainSearch(settings(SMALL, 1), dataset, CPU)
    x, y = search._batch(search.train, torch.tensor([3, 5]))
    assert torch.equal(y, search.train.labels[[3, 5]]) and x.shape == (2, 3, 32, 32)
    pixels = (x[0] * torch.tensor(dataset.std)[:, None, None] + torch.tensor(dataset.mean)[:, None, None]) * 255
    shown = pixels[:, 8:24, 8:24].round()
    original = search.train.images[3].float()
    crops = [
        image[:, top : top + 16, left : left + 16] for image in (original, original.flip(-1)) for top in range(17) for left in range(17)
    ]
    assert sum(torch.equal(shown, crop) for crop in crops) == 1


@pytest.mark.parametrize("config", [SMALL, DARTS], ids=["nb201", "darts"])
def test_ours_takes_a_step_with_each_turn(config):
    assert list(ours(settings(config, config.ks[0]), random_dataset(64), CPU, 3)) == [1, 2, 3]


@pytest.mark.parametrize("space", SPACES)
def test_both_sides_have_the_same_weights_to_compute_with(space):
    plain, ours = (make(2, 8, 3) for make in implementations(space).values())
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in ours.parameters())


def test_the_steps_of_all_rounds_make_an_epoch_on_a_gpu():
    config = SpeedConfig(repeats=5)
    assert steps_per_round(config, CPU) == 1
    assert steps_per_round(config, torch.device("cuda")) == 77  # 5 rounds and the first step: 386 of 390
    assert steps_per_round(SpeedConfig(steps=3), torch.device("cuda")) == 3


def test_too_few_images_are_refused_before_anything_runs():
    with pytest.raises(ParameterError, match="1280 or more"):
        SpeedConfig.of(dict(images=500))


def test_the_papers_memory_is_read_from_its_table():
    assert paper_memory("nb201")[1] == 2437 and paper_memory("nb201")[8] == 949 and not paper_memory("darts")
