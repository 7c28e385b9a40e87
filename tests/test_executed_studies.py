"""The study notebooks that search by themselves. tests/collection/workflow/test_laptop.py executes all others, on a finished search."""

import re

import nbformat
import papermill
import pytest
import yaml

from drnas_lib.runs.files import PROJECT

QUIET = {"kernel_name": "python3", "progress_bar": False, "log_output": False}
FIGURES = {"exploration": 3, "main_job": 2}  # with the live display
SAID = {"exploration": "cells are distinct after epoch", "main_job": "between the found cell and the median of the random cells"}


@pytest.mark.parametrize("name", FIGURES)
def test_from_nothing_to_its_conclusion(name, tmp_path, data_root):
    out = tmp_path / "out.ipynb"
    (smoke,) = (PROJECT / "params" / name).glob("*_smoke.yaml")
    values = yaml.safe_load(smoke.read_text()) | {"results": str(tmp_path / "runs")}
    values |= {"tables": str(tmp_path / "tables")} if name == "main_job" else {}
    papermill.execute_notebook(PROJECT / "notebooks" / f"{name}.ipynb", out, values, cwd=PROJECT, **QUIET)
    data = [o.data for cell in nbformat.read(out, as_version=4).cells for o in cell.get("outputs", ()) if "data" in o]
    assert sum("image/png" in one for one in data) == FIGURES[name]
    said = " ".join("".join(one["text/markdown"]) for one in data if "text/markdown" in one)
    assert SAID[name].lower() in said.lower() and not re.search(r"\bnan\b", said)
