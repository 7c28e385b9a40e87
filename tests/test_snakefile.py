"""The Snakefile: every target's jobs are papermill lines whose notebook, files and parameters are sound, and they fit together."""

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache

import papermill
import pytest

from drnas_lib.collection.workflow.job import parameters
from drnas_lib.runs.files import PROJECT
from tests.test_notebooks import cells_of, is_parameters

pytestmark = pytest.mark.skipif(importlib.util.find_spec("snakemake") is None, reason="Snakemake, an extra, is not here: make workflow")
TARGETS = [*(f"table{n}" for n in range(1, 7)), *(f"figure{n}" for n in range(1, 6)), "proposition1", "budgets", "timing", "paper"]
COMMAND = re.compile(r"papermill (notebooks/(\w+)\.ipynb .+)")
FOUND = ("seed0", "seed1", "seed2", "seed3")  # the end of a search's folder
STUDIES = ("nas_bench_201", "partial_channels", "hessian", "lambda_ablation")  # what stands on many searches


def snakemake(*arguments):
    answer = subprocess.run([sys.executable, "-m", "snakemake", *map(str, arguments)], cwd=PROJECT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


@cache
def lines(*targets):
    """(notebook, output, what it is given) of each job that would run from nothing."""
    said = snakemake(*targets, "--dry-run", "--forceall")
    jobs = [shlex.split(found[1]) + [found[2]] for found in COMMAND.finditer(said)]
    return [(notebook, words[0], parameters(words[1:])) for _, *words, notebook in jobs]


@cache
def first_cells(notebook):
    cells = cells_of(PROJECT / "notebooks" / f"{notebook}.ipynb")
    (position,) = [number for number, cell in enumerate(cells) if is_parameters(cell)]
    return [compile(cell.source, f"{notebook}, cell {number}", "exec") for number, cell in enumerate(cells[: position + 2])]


def config(notebook, given):
    """What the notebook makes of its parameters. Raises ParameterError."""
    *before, check = first_cells(notebook)
    names = {}
    for cell in before:
        exec(cell, names)
    names |= given | ({"genotype": "DrNAS_cifar10"} if str(given.get("genotype", "")).endswith(FOUND) else {})  # not there yet
    exec(check, names)
    return names["settings" if notebook in ("search", "retrain") else "config"]


def searched(jobs):
    return {config(notebook, given).folder for notebook, _, given in jobs if notebook == "search"}


@pytest.fixture(scope="module")
def jobs():
    return lines(*TARGETS), lines("smoke")


def test_every_table_and_figure_is_a_target():
    assert {*TARGETS, "smoke"} <= set(snakemake("--list-target-rules").split())


def test_every_line_is_sound(jobs):
    for notebook, out, given in (*jobs[0], *jobs[1]):
        assert out.startswith("results/") and f"/notebooks/{notebook}" in out
        assert given.keys() <= papermill.inspect_notebook(PROJECT / "notebooks" / f"{notebook}.ipynb").keys()
        config(notebook, given)


def test_no_two_lines_make_the_same(jobs):
    made = [out for _, out, _ in jobs[0]]
    assert len(set(made)) == len(made)
    runs = [config(notebook, given).folder for notebook, _, given in jobs[0] if notebook == "search"]
    assert len(set(runs)) == len(runs)


def test_what_is_looked_at_has_been_searched(jobs):
    for of in jobs:
        named = {str(given.get(name, "")) for _, _, given in of for name in ("run", "genotype")}
        assert {folder for folder in named if folder.endswith(FOUND)} <= searched(of)


def test_no_search_is_left_to_the_notebooks_of_the_paper(jobs):
    there = searched(jobs[0])
    for notebook, _, given in jobs[0]:
        if notebook in STUDIES:
            wanted = [getattr(search, "settings", search) for search in config(notebook, given).searches()]
            assert {settings.folder for settings in wanted} <= there
            assert not any(settings.reduced for settings in wanted)


def test_the_smoke_runs_every_notebook_and_nothing_at_full_length(jobs):
    assert {notebook for notebook, _, _ in jobs[1]} == {path.stem for path in (PROJECT / "notebooks").glob("*.ipynb")}
    assert all(config(notebook, given).reduced for notebook, _, given in jobs[1] if notebook in ("search", "retrain"))
    assert all("results/smoke/" in out for _, out, _ in jobs[1])
    assert all(given["results"].startswith("results/smoke") for _, _, given in jobs[1] if "run" not in given)


def test_a_target_is_made_once(tmp_path):
    (tmp_path / "retrain").mkdir()
    out = tmp_path / "notebooks" / "robust_spaces_cells.ipynb"
    assert "1 of 1 steps" in snakemake(out)
    assert out.exists() and "Nothing to be done" in snakemake(out)


def test_the_profile_for_slurm_asks_for_a_gpu():
    said = snakemake("table5", "--workflow-profile", "slurm", "--cores", 8, "--dry-run", "--forceall")
    search = next(block for block in said.split("rule ") if block.startswith("search:"))
    assert re.search(r"threads: 4\n *resources: .*mem_mb=16000, .*runtime=1440, gpu=1", search), search
