"""The committed copy of notebooks/report.ipynb says what the committed files say."""

import nbformat
import pytest

from drnas_lib.collection.paper.report import PLACES, Report


def written(path, kind):
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.data[kind]) for cell in cells for o in cell.get("outputs", ()) if kind in o.get("data", {})]


@pytest.mark.parametrize("place", PLACES)
def test_the_committed_report_says_what_the_files_say(place, committed):
    path = committed / "notebooks" / "report.ipynb"
    said, report = written(path, "text/markdown"), Report.read(committed)
    again = "papermill notebooks/report.ipynb results/notebooks/report.ipynb"
    assert report.sentence(place).data in said, f"results/ has changed since: {again}"
    assert report.opening().data in said, f"results/ has changed since: {again}"
