"""The numbers of the campaign: how they are kept, and that those in results/soak are what is claimed."""

import csv
from collections import Counter

import pytest

from drnas_lib.runs.files import read_json
from tests.reliability.counts import FOLDER, OUTCOMES, Count, Executed, keep, summary


def raises(error):
    raise error


def test_an_attempt_has_one_outcome_and_faults_are_kept():
    count = Count("kills", "search", 0)
    for action in (lambda: "told", lambda: Counter(exact=3), lambda: raises(AssertionError("gone")), lambda: raises(Executed("ran"))):
        count.attempt(action)
    assert count.tried == 6 and count.outcomes == {"told": 1, "exact": 3, "lost": 1, "executed": 1}
    assert count.faults == ["kills, search: gone", "kills, search: ran"]


def test_a_campaign_ends_where_nothing_is_met():
    count, some = Count("kills", "search", 0), Count("kills", "search", 0)
    with pytest.raises(RuntimeError, match="kills, search: 20 runs in a row met nothing"):
        count.until(1, lambda number: Counter())
    some.until(3, lambda number: Counter(exact=number % 2))
    assert some.tried == 3


def test_a_repeated_campaign_replaces_its_row_and_all_add_up(tmp_path):
    for seed, outcomes in ((0, Counter(exact=1)), (1, Counter(exact=2)), (0, Counter(exact=5, lost=1))):
        keep(Count("kills", "search", seed, outcomes), tmp_path)
    with open(tmp_path / "counts.csv") as file:
        assert [row["exact"] for row in csv.DictReader(file)] == ["5", "2"]
    assert read_json(tmp_path / "summary.json")["all"] == {"tried": 8, "exact": 7, "told": 0, "stated": 0, "lost": 1, "executed": 0}


def test_the_committed_counts_are_those_of_the_issue():
    with open(FOLDER / "counts.csv") as file:
        rows = list(csv.DictReader(file))
    assert summary(rows) == read_json(FOLDER / "summary.json")
    assert all(int(row["tried"]) == sum(int(row[name]) for name in OUTCOMES) for row in rows)
    of = lambda campaign: sum(int(row["tried"]) for row in rows if row["campaign"] == campaign)
    assert of("SIGKILL") >= 100 and of("fuzz") >= 10_000 and of("damage") > 1000
    assert not any(int(row[name]) for row in rows for name in ("lost", "executed"))
    assert {row["of"] for row in rows if row["campaign"] == "SIGKILL"} >= {"search", "progressive", "retrain", "partial_channels.ipynb"}
