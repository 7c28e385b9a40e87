"""drnas_lib.collection.workflow.readme: the README says of claims and results what the committed files say."""

import shutil

import pytest

from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.workflow.readme import README, found_so_far, in_short, number_counts, results, updated
from drnas_lib.runs.files import PROJECT
from tests import paper_runs


def test_the_readme_says_what_the_files_say(committed):
    text = README.read_text(encoding="utf-8")
    assert updated(text, Report.read(committed)) == text, "results/ has changed since: run `make report`"


def test_every_part_is_made_new(tmp_path):
    text = README.read_text(encoding="utf-8")
    empty = updated(text, Report.read(tmp_path))
    for part in (
        "0 of the 88 searches planned at this scale are done",
        "At full scale none is tested",
        "(NAS-Bench-201, CIFAR-10).** nothing to compare yet.",
        "**DrNAS' lead.** nothing to compare yet.",
    ):
        assert part in empty, part
    assert (
        "At the laptop scale:\n" not in empty and empty.count("## ") == text.count("## ") and updated(empty, Report.read(tmp_path)) == empty
    )
    with pytest.raises(ValueError, match="needs one place for"):
        updated(text.replace("| method | paper |", "| paper | method |"), Report.read(tmp_path))


def test_a_new_result_changes_its_row_and_a_reduced_one_does_not(tmp_path):
    def row():
        (found,) = [line for line in results(Report.read(tmp_path)) if line.startswith("| DrNAS |")]
        return found

    assert row() == "| DrNAS | 94.36 ± 0.00 | – | – | – | – |"
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", epochs=[5])
    assert row() == "| DrNAS | 94.36 ± 0.00 | – | – | – | – |", "a run of another size does not count"
    paper_runs.search(tmp_path, 92.0, dataset="cifar10", scale="laptop")
    assert row() == "| DrNAS | 94.36 ± 0.00 | 92.00 | 1 | laptop | – |"
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    assert row() == "| DrNAS | 94.36 ± 0.00 | 94.36 ± 0.00 | 4 | full | reproduced |"


def test_the_status_counts_what_agrees_and_what_of_it_was_trained(tmp_path):
    before = number_counts(Report.read(tmp_path))
    assert "need no trained supernet: they are parameter counts or from the benchmark table" in before
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    after = number_counts(Report.read(tmp_path))
    assert "For 4 of those that agree we trained a network." in after and int(after.split()[1]) < int(before.split()[1])


def test_the_laptop_scale_in_short(tmp_path):
    said = lambda: in_short(Report.read(tmp_path))  # noqa: E731
    paper_runs.search(tmp_path, 92.0, dataset="cifar10", scale="laptop")
    for method, accuracy in (("darts_2nd", 90.0), ("gdas", 91.0)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", scale="laptop", method=method, protocol="paper")
    assert said() == "nothing to compare yet.", "without random search"
    shutil.copytree(PROJECT / "results" / "table_search", tmp_path / "table_search")
    assert said().startswith(
        "Over the better of random search and REINFORCE it is −1.72 points here and +0.51 (over Reinforce) in the paper;"
    )
    assert "over the best other supernet method +1.00 here (over GDAS) and +0.95 (over PC-DARTS) in the paper." in said()
    before = said()
    paper_runs.search(tmp_path, 99.0, dataset="cifar10", method="gdas", protocol="paper")
    assert said() == before, "a search at full scale is no rival of those at the laptop scale"
    assert said().endswith("A test that includes DARTS (2nd) and GDAS and DrNAS has no interval (–), because an interval needs 3 runs.")
    assert "DrNAS is not clearly different from random search or GDAS" in found_so_far(Report.read(tmp_path))
