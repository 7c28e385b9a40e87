"""drnas_lib.collection.speed.meters: what is counted, and how many operators a search step at full size may launch on a GPU."""

import pytest
import torch

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.meters import Counter, operators
from drnas_lib.collection.speed.steps import random_dataset, settings
from drnas_lib.search.loop import Search
from tests.posing_cuda import CUDA, posing


def test_views_and_memory_without_content_launch_nothing():
    x = torch.ones(4, 6)
    assert operators(lambda: x.view(6, 4).T[1:].unsqueeze(0).expand(3, -1, -1)) == 0
    assert operators(lambda: torch.empty_like(x)) == 0
    assert operators(lambda: x.add_(1).relu()) == 2


def test_the_backward_pass_counts():
    x = torch.ones(3, requires_grad=True)
    assert operators(lambda: x.exp()) == 1
    assert operators(lambda: torch.autograd.grad(x.exp().sum(), x)) == 4, "exp, sum, ones for the gradient of the sum, and its product"


def counted(action):
    with Counter() as counter:
        action()
    return counter


def test_bytes_are_what_is_read_and_written_and_views_are_free():
    a, b = torch.randn(100), torch.randn(100)
    assert counted(lambda: a + b).bytes == 3 * 400
    assert counted(lambda: a.add_(b)).bytes == 3 * 400
    assert counted(lambda: a.view(10, 10).T.unsqueeze(0)).bytes == 0
    assert counted(lambda: b.expand(7, 100) * 2).bytes == 400 + 2800, "an expanded tensor is read once"


def of_a_step(space, k, cells, batch_size=2, channels=16):
    """Batch, augmentation, theta, both steps, both optimisers and the meter, of the released search of CIFAR-10 on a GPU."""
    config = SpeedConfig(space=space, ks=[k], cells=cells, channels=channels, batch_size=batch_size)
    with posing():
        search = Search(settings(config, k), random_dataset(2 * batch_size), CUDA, capture=False)
        search.step.weight_optimiser.set_lr(0.1)
        plans = search.train.plan(batch_size, search.image_generator), search.valid.plan(batch_size, search.image_generator)
        next(search.launcher.epoch(*plans, moves_eta=True))
        search.launcher.number.zero_()
        return operators(lambda: search.launcher.run_step(True))


@pytest.mark.parametrize(("space", "k", "cells", "most"), [("nb201", 1, 5, 4450), ("nb201", 4, 5, 5000), ("darts", 4, 8, 18_000)])
def test_the_operators_of_a_step_at_full_size_stay_few(space, k, cells, most):
    """Measured 2,711, 3,090 and 7,551; an implementation edge by edge launches 8,354, 9,425 and 26,935 for the supernet alone."""
    assert of_a_step(space, k, cells) <= most


def test_the_batch_size_is_of_no_matter():
    assert of_a_step("nb201", 4, 1) == of_a_step("nb201", 4, 1, batch_size=8)
