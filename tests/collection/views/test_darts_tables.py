"""Tables of the DARTS space: the paper's rows, counted sizes, and what may stand beside them."""

import json
from dataclasses import replace

import pytest

from drnas_lib.collection.studies import darts_costs
from drnas_lib.collection.views import darts_tables as tables
from drnas_lib.collection.views.published import PAPER
from drnas_lib.collection.views.retrain_report import RetrainReport
from drnas_lib.config.cells import find, published
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.retrain.run import run
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, read_json


def test_every_cell_with_a_row_has_counted_sizes():
    sizes = tables.sizes()
    assert sizes.notna().all(axis=None)
    for number, found in sizes.groupby("table"):
        assert set(found.cell) == {cell.name for cell in published().values() if f"table{number}" in cell.paper_rows}


@pytest.mark.parametrize(("cell", "macro"), [("drnas_cifar10", "cifar"), ("drnas_imagenet", "imagenet"), ("nasnet_a", "imagenet")])
def test_the_committed_counts_are_what_the_networks_have(cell, macro):
    counted = darts_costs.cost(find(cell).genotype, macro)
    (row,) = tables.costs().query("cell == @cell and network == @macro").to_dict("records")
    assert (row["parameters"], row["macs"]) == (counted.parameters, counted.macs)


def test_the_committed_counts_are_of_all_cells():
    assert set(tables.costs().cell) == published().keys() and len(tables.costs()) == 2 * len(published())


def test_the_drnas_cells_have_the_papers_size():
    counted = tables.sizes().set_index("cell")["ours: params (M)"]
    assert (round(counted["drnas_cifar10"], 3), round(counted["drnas_imagenet"], 3)) == (4.099, 5.726)


def test_each_size_that_differs_has_a_reason_and_no_other():
    differences = tables.size_differences()
    assert "unexplained" not in set(differences.why)
    reasons = json.loads((PAPER / "size_reasons.json").read_text())
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
    """A small finished training."""
    settings = RetrainConfig.of(
        dict(dataset="digits", channels=2, cells=3, subset=64, batch_size=32, epochs=1, results=str(tmp_path), device="cpu")
    ).settings()
    list(run(settings))
    return settings, tmp_path


def test_reduced_trainings_are_listed_apart_by_the_space_of_their_cell(finished):
    settings, results = finished
    folder = RunFolder(results / settings.stem / "seed0")
    assert list(tables.reduced_runs(results).cell) == [settings.cell] and tables.reduced_runs(results, tables.SPACES).empty
    record = read_json(folder.file("record.json"))
    record["parameters"]["space"] = "s2"
    integrity.write(folder.file("record.json"), record)
    assert list(tables.reduced_runs(results, tables.SPACES).space) == ["s2"]
    assert tables.runs(results / "none").empty and tables.reduced_runs(results / "none", tables.SPACES).empty


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
