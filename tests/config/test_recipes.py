"""Tests of drnas_lib.config.recipes and learning_rate: the published numbers, and the schedules epoch by epoch."""

import math

import pytest

from drnas_lib.config.recipes import RECIPES, recipe_of
from drnas_lib.retrain.schedule import SCHEDULES, drop_path, learning_rate


def test_published_cifar10():
    recipe = RECIPES["drnas"]
    assert (recipe.epochs, recipe.batch_size, recipe.lr, recipe.weight_decay, recipe.momentum) == (600, 64, 0.025, 3e-4, 0.9)
    assert (recipe.grad_clip, recipe.cutout, recipe.auxiliary, recipe.drop_path, recipe.label_smoothing) == (5, 16, 0.4, 0.3, 0)
    assert RECIPES["pc_darts"].batch_size == 96
    assert (RECIPES["robust_spaces"].drop_path, RECIPES["robust_spaces"].plain_pools) == (0.2, True)


def test_published_imagenet():
    recipe = RECIPES["imagenet"]
    assert (recipe.epochs, recipe.batch_size, recipe.lr, recipe.weight_decay, recipe.warmup_epochs) == (250, 768, 0.5, 3e-5, 5)
    assert (recipe.label_smoothing, recipe.auxiliary, recipe.drop_path, recipe.grad_clip, recipe.cutout) == (0.1, 0.4, 0, 5, 0)


def test_every_schedule_has_a_function():
    assert {recipe.schedule for recipe in RECIPES.values()} | {recipe_of("imagenet", "paper").schedule} <= SCHEDULES.keys()


def test_cosine_to_zero():
    recipe = RECIPES["drnas"]
    rates = [learning_rate(recipe, epoch) for epoch in range(600)]
    assert rates == [0.025 * (1 + math.cos(math.pi * e / 600)) / 2 for e in range(600)]


def test_released_imagenet_schedule_written_out():
    """As the released script computes it, epoch by epoch."""
    E, lr0 = 250, 0.5
    for e in range(E):
        expected = lr0 * (E - 5 - e) / (E - 5) if E - e > 5 else lr0 * (E - e) / ((E - 5) * 5)
        if e < 5:
            expected = lr0 * (e + 1) / 5
        assert learning_rate(RECIPES["imagenet"], e) == pytest.approx(expected, rel=1e-12)


def test_the_tail_joins_the_line_without_a_jump_up():
    rates = [learning_rate(RECIPES["imagenet"], e) for e in range(250)]
    assert rates[4] == 0.5 and all(a >= b for a, b in zip(rates[4:], rates[5:])) and 0 < rates[-1] < 1e-3


def test_the_papers_linear_decay_is_plain():
    recipe = recipe_of("imagenet", "paper")
    assert learning_rate(recipe, 125) == 0.25 and learning_rate(recipe, 249) == pytest.approx(0.5 / 250)
    assert recipe_of("drnas", "paper") == recipe_of("drnas", "released")


def test_drop_path_grows_from_zero():
    recipe = RECIPES["drnas"]
    assert (drop_path(recipe, 0), drop_path(recipe, 300)) == (0, 0.15)
    assert drop_path(recipe, 599) == pytest.approx(0.3 * 599 / 600)
