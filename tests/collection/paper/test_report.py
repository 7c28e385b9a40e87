"""The report: its tables of committed runs, of nothing, and of damaged runs; the command."""

import subprocess
import sys

import pytest

from drnas_lib.benchmark.table import Benchmark, how_to_get
from drnas_lib.collection.paper.__main__ import main
from drnas_lib.collection.paper.report import PLACES, Report
from drnas_lib.collection.paper.table_style import legend, styled
from drnas_lib.collection.paper.verdicts import Verdict, findings
from drnas_lib.collection.views.published import paper_table
from drnas_lib.runs.files import PROJECT, RecordError
from drnas_lib.runs.index import RunIndex
from tests import paper_runs


@pytest.fixture(scope="module")
def report(committed):
    """Of the committed files."""
    return Report.read(committed)


def ours(report, place, row):
    return report.table(place).xs(row)


def test_every_number_has_a_row_and_a_verdict(report):
    for place in PLACES:
        table = report.table(place)
        assert len(table) == len(report.of(place)) and set(table.verdict) <= set(map(str, Verdict))
    assert report.counts().to_numpy().sum() == len(report.findings)


def test_what_the_committed_runs_say(report):
    random = ours(report, "Table 4", "Random (baseline)").loc["CIFAR-10 test accuracy (%)"]
    assert (random.paper, random.full, random.n, random.verdict) == ("93.70 ± 0.36", "93.72 ± 0.38", "500", "within spread")
    assert (random.protocol, random.device) == ("lookup", "CPU, NumPy") and random.data.startswith("cifar10 ")
    best = ours(report, "Table 4", "optimal").loc["ImageNet16-120 validation accuracy (%)"]
    assert (best.full, best.n, best.verdict) == ("46.7333", "exact", "not reproduced") and "first release" in best.note
    size = ours(report, "Table 2", "DrNAS").loc["parameters (M)"]
    assert (size.paper, size.full, size.difference, size.verdict) == ("4.1", "4.099", "-0.001", "reproduced")
    assert "macro network" in ours(report, "Table 2", "NASNet-A (Zoph et al., 2018)").loc["parameters (M)"].note


def test_the_papers_rows_with_ours_beside_them(report):
    table = report.side_by_side("Table 2")
    assert list(table.index) == [row["architecture"] for row in paper_table(2)["rows"]]
    drnas = table.loc["DrNAS"]
    assert (drnas["paper: parameters (M)"], drnas["ours: parameters (M)"], drnas["ours: test error (%)"]) == ("4.1", "4.099", "–")
    robust = report.side_by_side("Table 6")
    assert (robust.loc["DrNAS", "paper: S3 test error (%)"], robust.loc["DARTS", "paper: S3 test error (%)"]) == ("2.40 ?", "3.34")
    assert (report.table("Table 6").note != "").sum() >= 12, "why the values are not legible"


def test_a_reduced_run_stands_in_its_own_column_alone(report):
    """Beside the paper stand only runs of which nothing was made smaller."""
    for finding in report.findings:
        assert all(measured.run is None or not measured.run.reduced for measured in finding.full)
        assert all(measured.reason for measured in finding.reduced)
    drnas = ours(report, "Table 4", "DrNAS").loc["CIFAR-10 test accuracy (%)"]
    assert (drnas.full, drnas.n, drnas.verdict) == ("–", "", "reduced only") and "(n = " in drnas.laptop
    progressive = ours(report, "Table 1", "cifar10, progressive").loc["test accuracy (%)"]
    assert progressive.full.startswith("93.") and progressive.laptop.endswith("(n = 4)")
    assert (report.reduced_runs()["less than the paper's"] != "").all() and len(report.reduced_runs()) > 10


def test_a_full_run_has_its_provenance(tmp_path):
    for seed, accuracy in enumerate((94.36, 94.0, 94.2)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", seed=seed)
    row = ours(Report.read(tmp_path), "Table 4", "DrNAS").loc["CIFAR-10 test accuracy (%)"]
    assert (row.full, row.n, row.difference) == ("94.19 ± 0.18", "3", "-0.17")
    assert (row.protocol, row.device, row.data, row["hours each"]) == ("released", "CPU, made up", "cifar10 01234567", "1.00")


def test_a_looked_up_accuracy_has_its_rank(data_root, tmp_path):
    for seed, accuracy in enumerate((94.36, 94.0)):
        paper_runs.search(tmp_path, accuracy, dataset="cifar10", seed=seed)
    paper_runs.search(tmp_path, 91.0, dataset="cifar10", epochs=[5], method="gdas")
    paper_runs.search(tmp_path, 46.3, dataset="digits", evaluate="none")
    report, table = Report.read(tmp_path), Benchmark.load()
    row = ours(report, "Table 4", "DrNAS").loc["CIFAR-10 test accuracy (%)"]
    assert row["rank"] == table.median_standing([94.36, 94.0], "cifar10", "test").short and row["its rank"] == ""
    row = ours(report, "Table 4", "GDAS (Dong & Yang, 2019)").loc["CIFAR-10 test accuracy (%)"]
    assert row["rank"] == "" and row["its rank"] == table.standing(91.0, "cifar10", "test").short
    assert ours(report, "Table 4", "DrNAS").loc["CIFAR-100 test accuracy (%)"]["its rank"] == "", "digits stand in, and are not ranked"
    assert report.table("Table 2")["rank"].eq("").all() and how_to_get() not in report.missing()


def test_without_the_table_there_are_no_ranks_and_what_is_missing_begins_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    paper_runs.search(tmp_path, 94.0, dataset="cifar10")
    report = Report.read(tmp_path)
    assert report.table("Table 4")["rank"].eq("").all() and report.missing().startswith(f"Cells have no rank here: {how_to_get()}")


def test_data_that_stand_in_are_named_at_the_number(tmp_path):
    """So that 46 % on digits beside the paper's 46.34 % on ImageNet16-120 is not taken for it."""
    paper_runs.search(tmp_path, 46.3, dataset="digits", evaluate="none")
    row = ours(Report.read(tmp_path), "Table 4", "DrNAS").loc["ImageNet16-120 test accuracy (%)"]
    assert (row.paper, row.full, row["another size"], row.verdict) == ("46.34 ± 0.00", "–", "46.30 on digits (n = 1)", "reduced only")


def test_of_nothing_everything_is_not_run_but_what_is_counted(tmp_path):
    report = Report.read(tmp_path)
    kinds = {finding.verdict for finding in report.findings if not (finding.full and finding.full[0].run is None)}
    assert kinds == {Verdict.NOT_RUN}
    assert report.verdict("Table 1") == "20 not run" and report.verdict("Table 3").endswith("(for 45 of them there is nothing to run)")
    assert report.reduced_runs().empty


def test_damaged_runs_are_named_in_the_opening(tmp_path):
    paper_runs.search(tmp_path, dataset="cifar10").file("record.json").write_text("{")
    report = Report.read(tmp_path)
    assert report.verdict("Table 1") == "20 not run" and "not read: could not read" in report.opening().data


def test_the_sentence_names_what_was_not_reproduced(report):
    said = report.sentence("Table 2").data
    assert said.startswith("**Table 2, 56 numbers: 7 reproduced")
    assert "NASNet-A (Zoph et al., 2018): parameters (M) 3.831, printed 3.3" in said


@pytest.mark.parametrize("place", PLACES)
def test_a_verdict_is_shown_in_words_and_in_colour(place, report):
    html = styled(report.table(place)).to_html()
    for verdict in set(report.table(place).verdict):
        assert f" {verdict}</td>" in html and Verdict(verdict).name in html


def test_the_legend_explains_every_verdict():
    assert all(str(verdict) in legend().to_html() for verdict in Verdict)


def test_what_a_record_says_is_not_read_as_html(tmp_path):
    paper_runs.search(tmp_path, dataset="cifar10", epochs=[5], name="x")
    folder = RunIndex.read(tmp_path).searches[0].folder
    text = (folder / "record.json").read_text().replace("5 instead of 100 epochs", "<script>alert(1)</script>")
    (folder / "record.json").write_text(text)
    assert "<script>" not in styled(Report.read(tmp_path).reduced_runs()).to_html()
    assert findings(RunIndex.read(tmp_path))


@pytest.mark.parametrize(("options", "said"), [([], "Table 4: 5 reproduced, 12 within spread"), (["--missing"], "Most valuable first")])
def test_the_command_needs_no_torch_and_takes_seconds(options, said):
    code = f"import sys\nfrom drnas_lib.collection.paper.__main__ import main\nmain({options})\nassert 'torch' not in sys.modules"
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0 and said in answer.stdout, answer.stderr


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecordError, match=f"there is no folder {tmp_path / 'none'}"):
        Report.read(tmp_path / "none")
    with pytest.raises(SystemExit, match="there is no folder"):
        main(["--results", str(tmp_path / "none")])
