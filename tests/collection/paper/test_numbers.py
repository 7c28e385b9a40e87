"""drnas_lib.collection.paper.numbers: every number of the published tables and every statement of the figures, as the files have them."""

import pytest

from drnas_lib.collection.paper import numbers as paper
from drnas_lib.collection.paper.verdicts import RULES
from drnas_lib.collection.views.published import paper_table, paper_text

NUMBERS = paper.numbers()


def of(place, row, column):
    (number,) = [number for number in NUMBERS if (number.place, number.row, number.column) == (place, row, column)]
    return number


@pytest.mark.parametrize("number", paper.TABLES)
def test_every_number_of_a_table_is_a_cell(number):
    """All that a row has but its name and remarks; a dash is none."""
    rows, said = paper_table(number)["rows"], {"note", "mark", "uncertain", "search_method", "searched_on_imagenet", "k", "dataset"}
    numbers = [(name, value) for row in rows for name, value in row.items() if name not in {paper.TABLES[number], *said}]
    assert {name for name, _ in numbers} <= paper.COLUMNS.keys()
    values = [value["mean"] if isinstance(value, dict) else value for _, value in numbers if value is not None]
    assert [cell.value for cell in paper.of_table(number)] == values


def test_no_two_cells_are_the_same_and_each_has_a_rule():
    assert len({(number.place, number.row, number.column) for number in NUMBERS}) == len(NUMBERS)
    assert {number.quantity.rule for number in NUMBERS} == RULES.keys()
    assert {number.place for number in NUMBERS} == {*(f"Table {n}" for n in range(1, 7)), *(f"Figure {n}" for n in range(1, 6))}


@pytest.mark.parametrize(
    ("place", "row", "column", "printed"),
    [
        ("Table 1", "cifar100, K = 8", "test_accuracy_pct", "55.11 ± 13.78"),
        ("Table 1", "cifar10, progressive", "gpu_memory_mb", "949"),
        ("Table 2", "P-DARTS (Chen et al., 2019)", "test_error_pct", "2.50"),
        ("Table 2", "DrNAS", "search_cost_gpu_days", "0.6"),
        ("Table 3", "DrNAS", "top5_error_pct", "7.1"),
        ("Table 4", "DrNAS", "cifar10_test", "94.36 ± 0.00"),
        ("Table 5", "λ = 0.0005", "test_accuracy_pct", "94.01"),
        ("Table 6", "DrNAS", "S3", "2.40 ?"),
        ("Figure 2", "the cell, drawn from its published file", "params_m", "4.1"),
        ("Figure 4", "DARTS", "eigenvalue_growth", "about 10"),
        ("Figure 5", "λ = 0.1", "eigenvalue_ratio", "< 1"),
    ],
)
def test_a_number_is_printed_as_in_the_paper(place, row, column, printed):
    assert of(place, row, column).printed == printed


def test_what_is_the_papers_own_and_what_it_is_known_for():
    assert of("Table 1", "cifar10, progressive", "test_accuracy_pct").own and not of("Table 1", "cifar10, K = 1", "test_accuracy_pct").own
    assert of("Table 6", "DrNAS", "S1").own and not of("Table 6", "DrNAS", "S1").headline
    headlines = {(number.place, number.column) for number in NUMBERS if number.headline}
    assert headlines == {
        ("Table 2", "test_error_pct"), ("Table 3", "top1_error_pct"), ("Table 3", "top5_error_pct"),
        *(("Table 4", f"{dataset}_{split}") for dataset, split in paper.BENCHMARK),
    }  # fmt: skip


def test_remarks_stand_at_the_numbers_they_concern():
    assert "first release" in of("Table 4", "optimal", "imagenet16-120_valid").note and not of("Table 4", "optimal", "cifar10_test").note
    assert "cutout" in of("Table 2", "DenseNet-BC (Huang et al., 2017)", "test_error_pct").note
    assert not of("Table 2", "DenseNet-BC (Huang et al., 2017)", "params_m").note
    assert "1080" in of("Table 2", "DrNAS", "search_cost_gpu_days").note and "illegible" in of("Table 6", "DrNAS", "S1").note


def test_figures_repeat_the_numbers_of_tables_and_text():
    sizes = [of(f"Figure {number}", "the cell, drawn from its published file", "params_m").value for number in (2, 3)]
    assert sizes == [of(f"Table {number}", "DrNAS", "params_m").value for number in (2, 3)]
    assert of("Figure 4", "DARTS", "eigenvalue_growth").value == paper_text()["figure4"]["eigenvalue_growth_of_darts"]
    assert [number.entry["lam"] for number in NUMBERS if number.place == "Figure 5"] == paper_text()["figure5"]["lams"]
