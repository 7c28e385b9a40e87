"""drnas_lib.search.trained_cells: rank, and the rule that tells a difference from noise."""

import math

import pytest
from matplotlib.figure import Figure

from drnas_lib.collection.views import plots
from drnas_lib.search.trained_cells import MEDIAN, TrainedCells

ACCURACIES = {
    "derived": [80.0, 82.0, 84.0],
    "random_1": [81.0, 83.0, 85.0],
    "random_2": [60.0, 62.0, 64.0],
    "random_3": [70.0, 72.0, 74.0],
    "all_skip": [50.0, 50.0, 50.0],
}
CELLS = TrainedCells(ACCURACIES, images=2500, epochs=5)


def test_means_rank_and_median_of_the_random_cells():
    assert CELLS.mean("derived") == 82 and CELLS.mean(MEDIAN) == 72
    assert CELLS.random == ["random_1", "random_2", "random_3"] and CELLS.rank == 2
    equal = TrainedCells({"derived": [50.0], "random_1": [50.0], "random_2": [40.0]}, 100, 1)
    assert equal.rank == 1, "who is equal does not come before it"


def test_the_error_joins_seeds_and_test_images():
    other = CELLS.accuracies | {"random_3": [70.0, 70.0, 73.0]}  # variances 4, 4, 4 and 3; all-skip's 0 does not count
    found, skip = (TrainedCells(other, 2500, 5).standard_error(cell) for cell in ("derived", "all_skip"))
    assert found == pytest.approx(math.sqrt((4 + 4 + 4 + 3) / 4 / 3 + 82 * 18 / 2500))
    assert skip == pytest.approx(math.sqrt(50 * 50 / 2500)), "its own variance"
    assert CELLS.standard_error(MEDIAN) == CELLS.standard_error("random_3") == pytest.approx(math.sqrt(4 / 3 + 72 * 28 / 2500))
    assert CELLS.noise(MEDIAN) == pytest.approx(2 * math.hypot(CELLS.standard_error("derived"), CELLS.standard_error("random_3")))


def test_more_seeds_or_images_make_less_noise_and_images_do_not_go_away():
    twice = TrainedCells({cell: values * 2 for cell, values in ACCURACIES.items()}, 2500, 5)
    many = TrainedCells(ACCURACIES, 10**9, 5)
    assert max(cells.standard_error("derived") for cells in (twice, many)) < CELLS.standard_error("derived")
    assert twice.standard_error("derived") > math.sqrt(82 * 18 / 2500)


def test_one_seed_leaves_the_error_of_the_test_images():
    one = TrainedCells({cell: values[:1] for cell, values in ACCURACIES.items()}, 2500, 5)
    assert one.standard_error("derived") == pytest.approx(math.sqrt(80 * 20 / 2500))
    assert "not the spread over seeds, since there is one seed, but the limited number of test images (2,500)." in one.sentence("digits")


def test_a_difference_within_the_noise_is_called_so():
    assert CELLS.indistinguishable() == ["random_1"]
    assert CELLS.against(MEDIAN) == "72.0 %, is 10.0 points lower, more than the noise of 4.0"
    assert CELLS.against("random_1") == "83.0 %, is 1.0 points higher, within the noise of 3.9"


def test_the_sentence():
    assert CELLS.sentence("digits") == (
        "**Trained alike for 5 epochs with 3 seeds each, the found cell reaches 82.0 % test accuracy on digits: rank 2 of 4, beside "
        "3 random cells of 62.0 to 83.0 %. Their median, 72.0 %, is 10.0 points lower, more than the noise of 4.0; all-skip, 50.0 %, is "
        "32.0 points lower, more than the noise of 3.4. The difference to 1 random cell is within the noise.** Noise is twice the "
        "standard error of a difference. It covers the spread over seeds and the limited number of test images (2,500)."
    )
    apart = TrainedCells({"derived": [90.0, 90.0], "random_1": [10.0, 10.0]}, 2500, 1)
    assert "for 1 epoch with 2 seeds" in apart.sentence("digits") and "all-skip" not in apart.sentence("digits")
    assert "The difference to every random cell is more than the noise." in apart.sentence("digits")


def test_the_figure_shows_every_seed_of_every_cell_the_best_on_top():
    figure = plots.trained_cells(CELLS)
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["random 1", "found", "random 3", "random 2", "all-skip"]
    dots = [collection.get_offsets() for collection in ax.collections if len(collection.get_offsets()) == 3]
    assert sorted(x for of_cell in dots for x, _ in of_cell) == sorted(x for values in ACCURACIES.values() for x in values)


def test_they_are_read_from_a_record():
    cells = [{"cell": cell, "x_test_acc_pct_by_seed": values} for cell, values in ACCURACIES.items()]
    assert TrainedCells.of({"epochs": 5, "test_images": 2500, "cells": cells}, "x") == CELLS
