"""Tables of the DARTS space: the paper's rows, counted sizes, and what may stand beside them."""

import json
from dataclasses import replace

import pytest

from drnas_lib.collection.studies import darts_costs
from drnas_lib.collection.views import darts_tables as tables
from drnas_lib.collection.views.retrain_report import RetrainReport
from drnas_lib.config.cells import find, published
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.retrain.run import run
from drnas_lib.runs import integrity
from drnas_lib.runs.records import RecordError, RunFolder, read_json


def test_every_row_of_the_paper_is_there():
    for number, table in ((2, tables.beside_paper(tables.TABLE2)), (3, tables.beside_paper(tables.TABLE3))):
        assert list(dict.fromkeys(table.architecture)) == [row["architecture"] for row in tables.paper(number)["rows"]]


def test_every_cell_with_a_row_has_counted_sizes():
    for number, table in ((2, tables.beside_paper(tables.TABLE2)), (3, tables.beside_paper(tables.TABLE3))):
        named = {cell.name for cell in published().values() if f"table{number}" in cell.paper_rows}
        ours = table[table.cell != "not published"]
        assert set(ours.cell) == named and ours["ours: params (M)"].notna().all() and ours["ours: multiply-adds (M)"].notna().all()


@pytest.mark.parametrize(("cell", "macro"), [("drnas_cifar10", "cifar"), ("drnas_imagenet", "imagenet"), ("nasnet_a", "imagenet")])
def test_the_committed_counts_are_what_the_networks_have(cell, macro):
    counted = darts_costs.cost(find(cell).genotype, macro)
    (row,) = tables.costs().query("cell == @cell and network == @macro").to_dict("records")
    assert (row["parameters"], row["macs"]) == (counted.parameters, counted.macs)


def test_the_committed_counts_are_of_all_cells():
    assert set(tables.costs().cell) == published().keys() and len(tables.costs()) == 2 * len(published())


def test_the_drnas_cells_have_the_papers_size():
    shown = {}
    for table in (tables.TABLE2, tables.TABLE3):
        shown |= tables.beside_paper(table).set_index("cell")["ours: params (M)"]
    assert (round(shown["drnas_cifar10"], 3), round(shown["drnas_imagenet"], 3)) == (4.099, 5.726)


def test_each_size_that_differs_has_a_reason_and_no_other():
    differences = tables.size_differences()
    assert "unexplained" not in set(differences.why)
    reasons = json.loads((tables.PAPER / "size_reasons.json").read_text())
    listed = {(int(table[-1]), cell) for table in ("table2", "table3") for cell in reasons[table]}
    assert listed == set(zip(differences.table, differences.cell))


def test_the_reason_given_for_gdas_and_snas_counts():
    """50 channels give the printed 5.3 M; the moderate cell of SNAS the 4.3 M that stand beside the mild one."""
    assert round(darts_costs.cost(find("gdas_v1").genotype, "imagenet", channels=50).parameters / 1e6, 1) == 5.3
    assert round(darts_costs.cost(find("snas_moderate").genotype, "imagenet").parameters / 1e6, 1) == 4.3


def test_cells_over_the_mobile_limit_are_named():
    text = tables.size_sentence()
    assert "drnas_imagenet 624 M" in text and ", pc_darts_image" not in text


@pytest.fixture
def finished(tmp_path):
    """A small finished training, and a copy of its record that claims to be at full length."""
    settings = RetrainConfig.of(
        dict(dataset="digits", channels=2, cells=3, subset=64, batch_size=32, epochs=1, results=str(tmp_path), device="cpu")
    ).settings()
    list(run(settings))
    return settings, tmp_path


def as_cifar10(folder, name, seed, error, reduced=()):
    """A record as if of CIFAR-10, to see where the tables put it."""
    source, copy = RunFolder(folder), RunFolder(folder.parents[1] / name / f"seed{seed}")
    record = json.loads(source.file("record.json").read_text().replace("digits", "cifar10"))
    record |= {"reduced": list(reduced), "changed": []}
    record["parameters"]["seed"] = seed
    record["metrics"]["cifar10_test_error_pct_last"] = error
    integrity.write(copy.file("record.json"), record)
    copy.finish({})


def test_only_full_runs_stand_in_the_papers_column(finished):
    settings, results = finished
    folder = results / settings.stem / "seed0"
    as_cifar10(folder, "short", 0, 33.0, reduced=["5 instead of 600 epochs"])
    measured = lambda: tables.beside_paper(tables.TABLE2, results).set_index("cell").loc["drnas_cifar10", "ours: test error, last (%)"]
    assert measured() == "not run" and "no cell" in tables.error_sentence(tables.TABLE2, results).lower()
    as_cifar10(folder, "long", 0, 2.5)
    as_cifar10(folder, "long", 1, 2.7)
    assert measured() == "2.60 ± 0.14 (n=2)"
    assert set(tables.reduced_runs(results).reduced) >= {"5 instead of 600 epochs"} and len(tables.reduced_runs(results)) == 2
    tables.shown(tables.beside_paper(tables.TABLE2, results)).to_html()


def test_without_a_training_every_table_is_there_and_says_not_run(tmp_path):
    assert tables.runs(tmp_path).empty and tables.reduced_runs(tmp_path).empty and tables.reduced_runs(tmp_path, tables.SPACES).empty
    for table in (tables.TABLE2, tables.TABLE3):
        assert (tables.beside_paper(table, tmp_path).filter(like="ours: t") == "not run").any(axis=None)
    table = tables.table6(tmp_path)
    assert (table[table[""] == "ours"][list(tables.SPACES)] == "not run").all(axis=None)


def test_table_6_marks_what_is_not_legible():
    table = tables.table6()
    paper = table[table[""] == "paper"].set_index("method")
    assert paper.loc["DARTS", "S3"] == "3.34" and paper.loc["DrNAS", "S3"] == "2.40 ?"
    assert (table[table[""] == "ours"][list(tables.SPACES)] == "not run").all(axis=None)
    assert len(tables.uncertain()) == 12 and list(tables.eigenvalues()["paper: DrNAS"]) == [0.0392, 0.039, 0.0286, 0.0389]


def test_table_6_finds_searches_on_its_spaces(finished):
    settings, results = finished
    as_cifar10(results / settings.stem / "seed0", "full", 0, 3.0)
    folder = RunFolder(results / "full" / "seed0")
    record = read_json(folder.file("record.json"))
    record["parameters"] |= {"space": "s2", "method": "DrNAS"}
    integrity.write(folder.file("record.json"), record)
    table = tables.table6(results).set_index(["method", ""])
    assert table.loc[("DrNAS", "ours"), "S2"] == "3.00 (n=1)" and table.loc[("DARTS", "ours"), "S2"] == "not run"


def test_report_of_a_reduced_run_says_so(finished):
    report = RetrainReport.read(finished[0].folder)
    assert "reduced run" in report.conclusion().data and "the paper has no number for it" in report.conclusion().data
    assert list(report.comparison().columns) == ["paper", "ours, reduced: not comparable"]
    assert len(report.curves().axes) == 3 and report.cell("reduce").axes
    report.summary().to_html()


def test_report_puts_the_papers_number_beside_ours(finished):
    report = RetrainReport.read(finished[0].folder)
    record = json.loads(json.dumps(report.record).replace("digits", "cifar10")) | {"reduced": [], "changed": []}
    full = replace(report, record=record)
    assert full.paper_error == 2.46 and "the paper has 2.46 %" in full.conclusion().data
    assert list(full.comparison().columns) == ["paper", "ours"] and full.comparison().loc["parameters (M)", "paper"] == "4.1"
    imagenet = tables.paper_row(find("DrNAS_imagenet").paper_rows, "imagenet")
    assert (imagenet["top1_error_pct"], imagenet["top5_error_pct"]) == (23.7, 7.1)


@pytest.mark.parametrize("macro", ["cifar", "imagenet"])
@pytest.mark.parametrize("cell", ["drnas_cifar10", "drnas_imagenet", "sdarts_c10_s3_random"])
def test_the_quick_count_is_the_count(cell, macro):
    assert darts_costs.quick_cost(find(cell).genotype, macro) == darts_costs.cost(find(cell).genotype, macro)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecordError, match="there is no folder"):
        tables.table6(str(tmp_path / "none"))
