"""drnas_lib.collection.paper.claim_rules: every statistic on made-up numbers, and the three verdicts at their edges."""

import numpy as np
import pytest
from scipy import stats

from drnas_lib.collection.paper import claim_rules
from drnas_lib.collection.paper.claim_rules import ClaimVerdict, Region, judge

HOLDS, NOT, UNDECIDED, NEVER = ClaimVerdict
GOOD, BAD, BROAD = [94.0, 94.2, 94.1, 94.3], [90.0, 90.3, 90.1, 90.2], [85.0, 99.0, 90.0, 94.0]


@pytest.mark.parametrize(
    ("statistic", "rule", "of", "against", "expected"),
    [
        ("mean", {"above": 0.6}, [[1.0, 1.0, 0.9, 1.0]], [], HOLDS),
        ("mean", {"above": 0.6}, [[0.1, 0.2, 0.3, 0.2]], [], NOT),
        ("mean", {"above": 0.6}, [[0.2, 1.0, 0.5, 0.9]], [], UNDECIDED),
        ("mean", {"at_least": 5, "at_most": 20}, [[9.0, 11.0, 10.0, 8.0]], [], HOLDS),
        ("mean", {"at_least": 5, "at_most": 20}, [[90.0, 110.0, 100.0]], [], NOT),
        ("mean", {"at_least": 5, "at_most": 20}, [[1.0, 60.0, 10.0, 8.0]], [], UNDECIDED),
        ("difference", {"above": 0}, [GOOD], [BAD], HOLDS),
        ("difference", {"above": 0}, [BAD], [GOOD], NOT),
        ("difference", {"above": 0}, [GOOD], [BROAD], UNDECIDED),
        ("difference", {"above": 0}, [GOOD], [GOOD], UNDECIDED),
        ("difference", {"above": 0}, [[94.0] * 3], [[94.0] * 3], NOT),  # the same cells every time are no better
        ("difference", {"at_least": -0.5, "at_most": 0.5}, [GOOD], [GOOD], HOLDS),
        ("difference", {"at_least": -0.5, "at_most": 0.5}, [GOOD], [BAD], NOT),
        ("difference", {"at_least": -0.5, "at_most": 0.5}, [GOOD], [BROAD], UNDECIDED),
        ("lead over the best", {"above": 0}, [GOOD], [BAD, BAD, [93.0, 93.1, 93.2]], HOLDS),
        ("lead over the best", {"above": 0}, [GOOD], [BAD, [95.0, 95.1, 95.2]], NOT),
        ("lead over the best", {"above": 0}, [GOOD], [BAD, BROAD], UNDECIDED),
        ("lead over the best", {"above": 0}, [GOOD, BAD], [[91.9, 92.3, 92.2]], UNDECIDED),
        ("difference of the largest", {"below": 0}, [[0.1] * 3, [0.2] * 3], [[0.5, 0.6, 0.7]], HOLDS),
        ("difference of the largest", {"below": 0}, [[0.1] * 3, [0.9] * 3], [[0.5, 0.6, 0.7]], NOT),
        ("difference of the largest", {"below": 0}, [[0.1] * 3, [0.2, 0.9, 0.4]], [[0.5, 0.6, 0.3]], UNDECIDED),
        ("ratio", {"at_most": 1.05}, [[26.0] * 4], [[25.0] * 4], HOLDS),
        ("ratio", {"at_most": 1.05}, [[26.0] * 4], [[21.8] * 4], NOT),
        ("ratio", {"at_most": 1.05}, [[20.0, 26.0, 24.0]], [[22.0] * 3], UNDECIDED),
        ("range", {"at_most": 0.5}, [[94.0] * 3, [94.2] * 3, [94.4] * 3], [], HOLDS),
        ("range", {"at_most": 0.5}, [[94.0] * 3, [92.0] * 3, [94.4] * 3], [], NOT),
        ("range", {"at_most": 0.5}, [GOOD, BROAD], [], UNDECIDED),
        ("slope", {"below": 0}, [[94.0] * 3, [93.5] * 3, [92.9] * 3, [91.0] * 3], [], HOLDS),
        ("slope", {"below": 0}, [[91.0] * 3, [92.0] * 3, [93.0] * 3], [], NOT),
        ("slope", {"below": 0}, [GOOD, BROAD, GOOD], [], UNDECIDED),
        ("spread", {"below": 0.36}, [[94.36] * 4], [], HOLDS),
        ("spread", {"below": 0.36}, [[94.0, 60.0, 80.0, 10.0]], [], NOT),
        ("spread", {"below": 0.36}, [GOOD], [], UNDECIDED),
    ],
)
def test_verdicts(statistic, rule, of, against, expected):
    found = judge(statistic, rule, of, against)
    assert found.verdict is expected and found.low <= found.value <= found.high


def test_every_statistic_is_tested():
    (mark,) = [mark for mark in test_verdicts.pytestmark if mark.name == "parametrize"]
    for statistic in claim_rules.NAMES:
        assert {row[4] for row in mark.args[1] if row[0] == statistic} == {HOLDS, NOT, UNDECIDED}, statistic


@pytest.mark.parametrize(
    ("statistic", "of", "against", "value"),
    [
        ("mean", [[1.0, 3.0]], [], 2.0),
        ("difference", [[1.0, 3.0]], [[4.0, 4.0]], -2.0),
        ("lead over the best", [[5.0], [7.0]], [[1.0], [4.0], [3.0]], 2.0),
        ("difference of the largest", [[5.0], [7.0]], [[1.0]], 6.0),
        ("ratio", [[3.0]], [[2.0]], 1.5),
        ("range", [[3.0], [9.0], [4.0]], [], 6.0),
        ("slope", [[94.0], [92.0], [90.0], [88.0]], [], -2.0),  # for each doubling of K
        ("spread", [[1.0, 3.0]], [], np.sqrt(2)),
    ],
)
def test_the_arithmetic_of_a_statistic_and_few_runs_decide_nothing(statistic, of, against, value):
    found = judge(statistic, {"above": -1e9}, of, against)
    assert found.value == pytest.approx(value) and found.verdict is UNDECIDED and found.low is None


def test_without_runs_nothing_is_judged():
    assert judge("difference", {"above": 0}, [GOOD], [[]]).verdict is NEVER
    assert judge("mean", {"above": 0}, [[]]).value is None


def test_intervals_are_the_same_every_time():
    assert judge("lead over the best", {"above": 0}, [GOOD], [BAD, BROAD]) == judge(
        "lead over the best", {"above": 0}, [GOOD], [BAD, BROAD]
    )


@pytest.mark.parametrize("runs", [3, 4, 20])
@pytest.mark.parametrize(
    ("statistic", "groups", "true"),
    [("mean", 1, 10.0), ("spread", 1, 1.0), ("difference", 2, 0.0), ("slope", 4, 0.0), ("lead over the best", 4, 0.0)],
)
def test_intervals_of_few_runs_cover_what_they_should(statistic, groups, true, runs, monkeypatch):
    """95 % of the intervals of normal values hold the true one, or more where several groups differ in their samples' spread."""
    monkeypatch.setattr(claim_rules, "DRAWS", 4000)
    far = (
        [0.0, 0.0, -4.0, -4.0][:groups] if statistic == "lead over the best" else [0.0] * groups
    )  # of several equal ones the best is lucky
    samples = np.random.default_rng(1).normal(10.0, 1.0, (300, groups, runs)) + np.array(far)[:, None]
    against = {"difference": 1, "lead over the best": 1}.get(statistic, groups)
    found = [judge(statistic, {"above": -99}, sample[:against], sample[against:]) for sample in samples]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.92


def test_the_interval_of_one_group_is_students():
    found, (low, high) = judge("mean", {"above": 0}, [GOOD]), stats.t.interval(0.95, 3, np.mean(GOOD), stats.sem(GOOD))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.01)


@pytest.mark.parametrize(("statistic", "of", "against"), [("mean", [GOOD], []), ("difference", [GOOD], [BROAD]), ("slope", [GOOD] * 2, [])])
def test_the_interval_of_a_sum_is_symmetric(statistic, of, against):
    found = judge(statistic, {"above": 0}, of, against)
    assert found.low + found.high == pytest.approx(2 * found.value, abs=1e-6)


def test_a_region_says_what_it_is():
    assert [str(Region(above=0)), str(Region(at_least=5, at_most=20)), str(Region(below=0.36))] == [
        "> 0", "≥ 5 and ≤ 20", "< 0.36",
    ]  # fmt: skip
    assert Region(at_least=0).verdict(0.0, 1.0) is HOLDS and Region(above=0).verdict(0.0, 1.0) is UNDECIDED
    assert Region(at_most=0).verdict(0.0, 0.0) is HOLDS and Region(below=0).verdict(0.0, 0.0) is NOT
    assert Region(at_least=5, at_most=20).verdict(1.0, 30.0) is UNDECIDED
