"""drnas_lib.collection.views.pareto against every pair of points and a grid."""

import numpy as np
import pytest

from drnas_lib.collection.views.pareto import front, hypervolume


@pytest.mark.parametrize("seed", range(5))
def test_front_by_comparing_all_pairs(seed):
    rng = np.random.default_rng(seed)
    cost, accuracy = rng.integers(0, 12, 60).astype(float), rng.integers(0, 12, 60).astype(float)
    chosen = front(cost, accuracy)
    beaten = [
        any((c <= cost[i] and a >= accuracy[i]) and (c < cost[i] or a > accuracy[i]) for c, a in zip(cost, accuracy)) for i in range(60)
    ]
    assert {(cost[i], accuracy[i]) for i in chosen} == {(cost[i], accuracy[i]) for i in range(60) if not beaten[i]}
    assert (np.diff(cost[chosen]) > 0).all() and (np.diff(accuracy[chosen]) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_by_counting_squares(seed):
    rng = np.random.default_rng(seed)
    cost, accuracy, corner = rng.integers(0, 20, 15).astype(float), rng.integers(0, 20, 15).astype(float), (16.0, 5.0)
    squares = sum(
        any(c <= x and a >= y + 1 for c, a in zip(cost, accuracy)) for x in range(16) for y in range(5, 20)
    )  # the square from (x, y) to (x + 1, y + 1)
    assert hypervolume(cost, accuracy, corner) == pytest.approx(squares)


def test_nothing_within_the_corner():
    assert hypervolume(np.array([5.0]), np.array([1.0]), (4.0, 0.0)) == 0.0
