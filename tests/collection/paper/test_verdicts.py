"""drnas_lib.collection.paper.verdicts: the rules, at their edges."""

import pytest

from drnas_lib.collection.paper.numbers import PaperNumber
from drnas_lib.collection.paper.verdicts import Verdict, tolerance, verdict

REPRODUCED, WITHIN, NOT, REDUCED, NEVER = Verdict


def accuracy(mean, spread=None, runs=None, row="GDAS"):
    return PaperNumber("Table 4", row, "cifar10_test", mean, spread, runs)


def error(mean, spread=None, row="PC-DARTS"):
    return PaperNumber("Table 2", row, "test_error_pct", mean, spread)


@pytest.mark.parametrize(
    ("cell", "ours", "expected"),
    [
        # one run against a spread of zero, and one against none: the printed number or not
        (accuracy(94.36, 0.0, 4), [94.36], REPRODUCED),
        (accuracy(94.36, 0.0, 4), [94.364], REPRODUCED),
        (accuracy(94.36, 0.0, 4), [94.37], NOT),
        (accuracy(93.78), [93.776], REPRODUCED),
        (accuracy(93.78), [93.70], NOT),
        # one run against the paper's spread
        (accuracy(93.23, 0.23, 4), [93.0], WITHIN),
        (accuracy(93.23, 0.23, 4), [92.99], NOT),
        # several runs: two standard errors of both sides; where the paper has no spread, of ours alone
        (accuracy(94.36, 0.0, 4), [94.2, 94.4, 94.3, 94.34], WITHIN),
        (accuracy(94.36, 0.0, 4), [94.2, 94.21, 94.22, 94.2], NOT),
        (accuracy(93.78), [93.7, 93.8], WITHIN),
        # runs that vary much do not agree for that reason
        (accuracy(94.36, 0.0, 4), [94.36, 54.30], NOT),
        (accuracy(94.36, 0.0, 4), [94.36, 94.36, 94.36, 54.30], NOT),
        (accuracy(94.36, 0.0, 4), [94.36, 93.2, 94.36, 93.6], WITHIN),
        (accuracy(54.30, 0.0, 4), [54.30, 52.0, 54.30, 54.30], NOT),
        (accuracy(93.78), [93.5, 93.52], NOT),
        (accuracy(93.78), [93.5, 93.5], NOT),
        # another method that comes out better was not reproduced; the paper's own that is better was
        (accuracy(54.30, 0.0, 4), [90.0], NOT),
        (accuracy(94.36, 0.0, 4, row="DrNAS"), [94.37], REPRODUCED),
        (accuracy(94.36, 0.0, 4, row="DrNAS"), [94.35], NOT),
        # less is better for errors
        (error(2.46, 0.03, row="DrNAS"), [2.40], REPRODUCED),
        (error(2.46, 0.03, row="DrNAS"), [2.49], WITHIN),
        (error(2.46, 0.03, row="DrNAS"), [2.50], NOT),
        (error(2.57, 0.07), [2.40], NOT),
        (error(2.57, 0.07), [2.5], WITHIN),
    ],
)
def test_measured_numbers(cell, ours, expected):
    assert verdict(cell, ours, []) is expected


@pytest.mark.parametrize(
    ("column", "value", "ours", "expected"),
    [
        ("params_m", 4.1, 4.099, REPRODUCED),
        ("params_m", 3.3, 3.349, REPRODUCED),
        ("params_m", 3.3, 3.2, NOT),  # no spread, and smaller is no better
        ("other_edges", 0, 0, REPRODUCED),
        ("other_edges", 0, 1, NOT),
        ("gpu_memory_mb", 949, 949.4, REPRODUCED),
        ("gpu_memory_mb", 949, 500, REPRODUCED),
        ("gpu_memory_mb", 949, 951, NOT),
        ("search_cost_gpu_days", 0.6, 0.64, REPRODUCED),
        ("search_cost_gpu_days", 0.6, 0.7, NOT),
        ("eigenvalue_growth", 10, 5, REPRODUCED),
        ("eigenvalue_growth", 10, 20.1, NOT),
        ("eigenvalue_ratio", 1, 0.99, REPRODUCED),
        ("eigenvalue_ratio", 1, 1, NOT),
    ],
)
def test_the_other_rules(column, value, ours, expected):
    assert verdict(PaperNumber("Table 1", "row", column, value), [ours], []) is expected


def test_a_reduced_run_is_counted_and_not_compared():
    cell = accuracy(94.36, 0.0, 4)
    assert verdict(cell, [], [94.36]) is REDUCED and verdict(cell, [], []) is NEVER
    assert verdict(cell, [50.0], [94.36]) is NOT


def test_the_tolerance_counts_what_is_not_known_as_zero():
    assert tolerance(accuracy(93.0), [93.5]) == 0
    assert tolerance(accuracy(93.0, 0.2), [93.5]) == 0.2
    assert tolerance(accuracy(93.0, 0.2, 4), [93.5]) == pytest.approx(0.2)  # 2 * 0.2 / sqrt(4)
    assert tolerance(accuracy(93.0, None, 4), [93.0, 93.2]) == pytest.approx(2 * (0.02 / 2) ** 0.5)
    assert tolerance(accuracy(93.0, None, 4), [93.0, 94.0]) == 0.5
