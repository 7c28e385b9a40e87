"""drnas_lib.collection.paper.figures: Figures 1 to 5 of full runs, of reduced ones, and of none."""

import pytest

from drnas_lib.collection.paper import figures as figures
from drnas_lib.collection.paper.report import Report
from tests import paper_runs

COMMITTED = Report.read()


def texts(figure):
    """Everything that is written in a figure."""
    found = [text.get_text() for ax in figure.axes for text in (*ax.texts, ax.title)]
    found += [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    return " ".join([*found, figure.get_suptitle()])


def drawn(report, number):
    return texts(figures.draw(number, report.of(f"Figure {number}")))


@pytest.mark.parametrize("number", [1, 4, 5])
def test_reduced_runs_are_drawn_and_called_reduced(number):
    assert "REDUCED, not comparable" in drawn(COMMITTED, number)


def test_figure_5_names_each_lambda_and_figure_4_each_method():
    assert "λ = 0.001" in drawn(COMMITTED, 5) and "DrNAS, mean and range" in drawn(COMMITTED, 4)


@pytest.mark.parametrize("number", [1, 4, 5])
def test_where_nothing_was_run_a_sentence_says_so(number, tmp_path):
    assert figures.draw(number, Report.read(tmp_path).of(f"Figure {number}")).data == f"Figure {number}: not run."


def test_the_published_cells_are_drawn_whatever_was_run(tmp_path):
    nothing = Report.read(tmp_path)
    assert "drnas_cifar10.json" in drawn(nothing, 2) and "drnas_imagenet.json" in drawn(nothing, 3)
    assert "not run" in figures.found_cell(nothing.of("Figure 2")).data
    assert "13 edges differ" in texts(figures.found_cell(COMMITTED.of("Figure 2")))


def test_full_runs_are_drawn_without_reduced_ones(tmp_path):
    for method in ("darts", "drnas"):
        paper_runs.eigenvalues(paper_runs.search(tmp_path, dataset="cifar10", method=method), [0.1, 0.5])
        paper_runs.eigenvalues(paper_runs.search(tmp_path, dataset="cifar10", method=method, epochs=[10]), [0.1, 0.9])
    paper_runs.exploration(paper_runs.search(tmp_path, dataset="cifar10"), [80.0, 40.0])
    report = Report.read(tmp_path)
    assert "REDUCED" not in drawn(report, 1) and "REDUCED" not in drawn(report, 4)
    (ax,) = figures.draw(4, report.of("Figure 4")).axes
    assert [max(line.get_ydata()) for line in ax.lines if line.get_label().endswith("1 run")] == [0.5, 0.5]
    assert "paper: DARTS ends at about ×10 its start" in drawn(report, 4)


def test_the_summary_counts_what_the_table_counts():
    counts = COMMITTED.counts()
    (ax,) = figures.summary(counts).axes
    written = sorted(int(text.get_text()) for text in ax.texts)
    assert written == sorted(int(n) for n in counts.to_numpy().ravel() if n)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(counts)
