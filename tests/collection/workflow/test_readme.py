"""drnas_lib.collection.workflow.readme: the README's tables of claims and results are what the committed files say."""

from drnas_lib.collection.paper.claims import markdown
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.workflow.readme import lines
from drnas_lib.runs.records import PROJECT
from tests import paper_runs


def test_the_readme_says_what_the_files_say(committed):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    report = Report.read(committed)
    for line in [*markdown(report.claims), *lines(report)]:
        assert line in text, "results/ has changed since: put the lines of `python -m drnas_lib.collection.workflow.readme` into the README"


def test_a_new_result_changes_its_row_and_a_reduced_one_does_not(tmp_path):
    nothing = lines(Report.read(tmp_path))
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", epochs=[5])
    reduced = lines(Report.read(tmp_path))
    assert any("| – | – | – | reduced only |" in line for line in reduced) and "reduced only" not in "".join(nothing[1:])
    paper_runs.search(tmp_path, 92.0, dataset="cifar10", scale="laptop")
    assert any("| – | – | 92.00 (n = 1) | reduced only |" in line for line in lines(Report.read(tmp_path)))
    for seed in range(4):
        paper_runs.search(tmp_path, 94.36, dataset="cifar10", seed=seed)
    rows = [line for line in lines(Report.read(tmp_path)) if line.startswith("| Table 4 | DrNAS |")]
    assert rows[0].endswith("| test accuracy (%), searched on CIFAR-10 | 94.36 ± 0.00 | 94.36 ± 0.00 | 4 | 92.00 (n = 1) | reproduced |")
    assert rows[1].endswith("| – | – | – | not run |")
