"""The notebooks that search, train and measure, run as a user runs them, on sizes of seconds."""

import json
import os
import subprocess
import sys

import nbformat
import papermill

from drnas_lib.data.image_files import only_train
from drnas_lib.data.index_lists import write as write_lists
from drnas_lib.runs.files import PROJECT, read_json
from tests.data.images import collection

QUIET = {"kernel_name": "python3", "progress_bar": False, "log_output": False}
LONG = dict(dataset="digits", epochs=[60], channels=4, subset=64, batch_size=32, train_epochs=1, random_cells=2, train_seeds=2)


def outputs(path, kind):
    cells = nbformat.read(path, as_version=4).cells
    return [o.data[kind] for cell in cells for o in cell.get("outputs", ()) if kind in o.get("data", {})]


def test_a_long_search_end_to_end(tmp_path):
    """In the folder of the notebooks, as JupyterLab runs it; tests/collection/workflow/test_laptop.py runs it at the root."""
    out, notebooks = tmp_path / "out.ipynb", PROJECT / "notebooks"
    papermill.execute_notebook(notebooks / "search.ipynb", out, LONG | {"results": str(tmp_path / "runs")}, cwd=notebooks, **QUIET)
    (folder,) = (tmp_path / "runs").glob("*/seed0")
    assert {"record.json", "history.csv", "eta.csv", "genotype.json", "done.json"} <= {path.name for path in folder.iterdir()}
    assert out.stat().st_size < 1_000_000, "60 epochs are still one display"
    assert len(outputs(out, "image/png")) == 5, "live display, trajectory, concentrations, cell, accuracy"
    said = "".join("".join(text) for text in outputs(out, "text/markdown"))
    assert "rank" in said and "beside 2 random cells" in said and "with 2 seeds each" in said and "This was a reduced run" in said
    assert read_json(folder / "record.json")["genotype"] in json.dumps(nbformat.read(out, as_version=4))


def test_a_search_of_the_darts_space_end_to_end(tmp_path):
    out = tmp_path / "out.ipynb"
    size = dict(channels=12, cells=3, subset=128, batch_size=32, epochs=[1, 1], k=[6, 3], keep=[7, 4], arch_warmup=[0, 0])
    size |= dict(train_epochs=1, random_cells=1, train_seeds=1)
    values = size | {"dataset": "digits", "space": "darts", "results": str(tmp_path / "runs")}
    papermill.execute_notebook(PROJECT / "notebooks" / "search.ipynb", out, values, cwd=PROJECT, **QUIET)
    assert len(outputs(out, "image/png")) == 5, "live display, trajectory, concentrations, both cells, accuracy"
    assert "beside 1 random cell of" in "".join("".join(text) for text in outputs(out, "text/markdown"))


def test_speed(tmp_path):
    """In NAS-Bench-201; tests/collection/speed measures both spaces."""
    out = tmp_path / "out.ipynb"
    small = dict(cells=1, channels=8, repeats=1, batch_size=8, ks=[4], images=64, at_once=[1, 2], results=str(tmp_path))
    papermill.execute_notebook(PROJECT / "notebooks" / "speed.ipynb", out, small, cwd=PROJECT, **QUIET)
    assert len(outputs(out, "image/png")) == 6, "arithmetic, operators, whole steps, memory, searches at once, profile"
    said = "".join("".join(text) for text in outputs(out, "text/markdown"))
    steps = "The arithmetic of a step takes", "launches more operators", "From the batch to the metrics"
    for part in (*steps, "activations kept", "Searches at once", "GFLOP"):
        assert part in said
    stem = "nb201_cpu_batch8_cells1_channels8_float32"
    kept = [f"{stem}{ending}" for ending in (".json", "_at_once.csv", "_profile.csv", "_profile.png", "_steps.csv", "_whole.csv")]
    assert sorted(path.name for path in tmp_path.glob(f"{stem}*")) == kept


def test_retrain_end_to_end(tmp_path):
    out = tmp_path / "out.ipynb"
    small = dict(dataset="digits", channels=2, cells=3, subset=64, batch_size=32, epochs=2, results=str(tmp_path))
    papermill.execute_notebook(PROJECT / "notebooks" / "retrain.ipynb", out, small, cwd=PROJECT, **QUIET)
    assert len(outputs(out, "image/png")) == 4, "live display, curves, both cells"
    said = "".join("".join(text) for text in outputs(out, "text/markdown"))
    assert "test error on digits" in said and "This was a reduced run" in said


def test_from_image_files_to_a_trained_cell(tmp_path):
    """The ImageNet search, reduced, on a folder of real photographs, some damaged; then its cell, trained on them."""
    images, found, runs = collection(tmp_path / "images"), tmp_path / "search.ipynb", tmp_path / "runs"
    lists = write_lists(only_train(images), [60, 38], 0, tmp_path / "most")
    small = dict(dataset="imagenet", data_folder=str(images), image_size=32, channels=4, cells=3, batch_size=60, workers=0)
    stages = dict(epochs=[1, 1], k=[2, 1], keep=[7, 4], arch_warmup=[0, 0], lr_warmup=1, weight_lr=0.05)
    values = small | stages | dict(space="darts", index_lists=",".join(map(str, lists)), results=str(runs))
    papermill.execute_notebook(PROJECT / "notebooks" / "search.ipynb", found, values, cwd=PROJECT, **QUIET)
    assert len(outputs(found, "image/png")) == 4, "live display, trajectory, concentrations, both cells"
    said = "".join("".join(text) for text in outputs(found, "text/html"))
    assert "train/class1/" in said and "images of 32 instead of 224 pixels" in said
    (folder,) = runs.glob("*/seed0")
    trained = small | dict(genotype=str(folder), protocol="paper", epochs=1, warmup_epochs=0, lr=0.05, results=str(tmp_path / "trained"))
    papermill.execute_notebook(PROJECT / "notebooks" / "retrain.ipynb", tmp_path / "retrain.ipynb", trained, cwd=PROJECT, **QUIET)
    (record,) = (read_json(path) for path in (tmp_path / "trained").glob("*/seed0/record.json"))
    assert record["parameters"]["cell_json"] == read_json(folder / "genotype.json")
    assert 0 <= record["metrics"]["imagenet_test_error_pct_last"] <= 100 and record["data"]["unreadable"]["count"] >= 3


def test_a_misspelt_parameter_ends_papermill_with_an_error(tmp_path):
    typo = ["-p", "datset", "cifar100"]
    command = [sys.executable, "-m", "papermill", "notebooks/search.ipynb", tmp_path / "out.ipynb", "-k", "python3", *typo]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=os.environ)
    assert answer.returncode != 0 and "Did you mean `dataset`?" in answer.stderr
