"""notebooks/report.ipynb, run as a user runs it; and the committed copy, which has to say what the committed files say."""

import nbformat
import papermill
import pytest

from drnas_lib.collection.paper.report import PLACES, Report
from drnas_lib.runs.records import PROJECT

QUIET = {"kernel_name": "python3", "progress_bar": False, "log_output": False}


def written(path, kind):
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.data[kind]) for cell in cells for o in cell.get("outputs", ()) if kind in o.get("data", {})]


def test_a_folder_without_runs_shows_every_table_and_figure_with_a_verdict(tmp_path):
    out = tmp_path / "out.ipynb"
    (tmp_path / "smoke").mkdir()
    papermill.execute_notebook(PROJECT / "notebooks" / "report.ipynb", out, {"results": str(tmp_path / "smoke")}, cwd=PROJECT, **QUIET)
    said = written(out, "text/markdown")
    assert all(any(text.startswith(f"**{place}: ") for text in said) for place in PLACES)
    tables, report = " ".join(written(out, "text/html")), Report.read(tmp_path / "smoke")
    verdicts = [*(finding.verdict for finding in report.findings), *(claim.outcome.verdict for claim in report.claims)]
    assert tables.count("○ not run</td>") == verdicts.count("not run") + 2  # and the two legends
    assert len(written(out, "image/png")) == 8, "summary, five figures, two cells of our own"


@pytest.mark.parametrize("place", PLACES)
def test_the_committed_report_says_what_the_files_say(place, committed):
    path = committed / "notebooks" / "report.ipynb"
    said, report = written(path, "text/markdown"), Report.read(committed)
    again = "papermill notebooks/report.ipynb results/notebooks/report.ipynb"
    assert report.sentence(place).data in said, f"results/ has changed since: {again}"
    assert report.opening().data in said, f"results/ has changed since: {again}"
