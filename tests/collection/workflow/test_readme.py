"""drnas_lib.collection.workflow.readme: the README says of claims and results what the committed files say."""

import pytest

from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.workflow.readme import README, results, updated
from tests import paper_runs


def test_the_readme_says_what_the_files_say(committed):
    text = README.read_text(encoding="utf-8")
    assert updated(text, Report.read(committed)) == text, "results/ has changed since: run `make report`"


def test_every_part_is_made_new(tmp_path):
    text = README.read_text(encoding="utf-8")
    empty = updated(text, Report.read(tmp_path))
    assert "0 of 88 laptop-scale searches" in empty and "at laptop scale: none run" in empty and "| laptop: n |" not in empty
    assert empty.count("## ") == text.count("## ") and updated(empty, Report.read(tmp_path)) == empty
    with pytest.raises(ValueError, match="needs one place for"):
        updated(text.replace("| place | method |", "| method | place |"), Report.read(tmp_path))


def test_a_new_result_changes_its_row_and_a_reduced_one_does_not(tmp_path):
    nothing = results(Report.read(tmp_path))
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", epochs=[5])
    reduced = results(Report.read(tmp_path))
    assert any("| – | – | – | reduced only |" in line for line in reduced) and "reduced only" not in "".join(nothing)
    paper_runs.search(tmp_path, 92.0, dataset="cifar10", scale="laptop")
    assert any("| – | – | 92.00 (n = 1) | reduced only |" in line for line in results(Report.read(tmp_path)))
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    rows = [line for line in results(Report.read(tmp_path)) if line.startswith("| Table 4 | DrNAS |")]
    assert rows[0].endswith("| test accuracy (%), searched on CIFAR-10 | 94.36 ± 0.00 | 94.36 ± 0.00 | 4 | 92.00 (n = 1) | reproduced |")
    assert rows[1].endswith("| – | – | – | not run |")
