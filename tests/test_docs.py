"""README and docs: links lead somewhere, commands name what exists, and the examples run as they stand."""

import re
import sys
from importlib.util import find_spec

import numpy as np
import papermill
import pytest
import torch

from drnas_lib.config import method_presets
from drnas_lib.config.method_presets import MethodRow
from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.runs.files import PROJECT
from drnas_lib.search import run as search_run

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
FILES = r"(?<!results/)(?:notebooks|params|drnas_lib|tests|docs|profiles)/[\w./-]*\.(?:ipynb|py|yaml|json|csv|png|md)"
MADE_BY_A_READER = ("npz.py", "floored.py", "light.py")  # files of the examples
TINY = dict(dataset="digits", epochs=[1], subset=64, batch_size=32, channels=4, evaluate="none", device="cpu")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / f"{page}.md").read_text(), flags=re.S)


@each_page
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@each_page
def test_files_and_modules_that_are_named_exist(page):
    text = page.read_text()
    missing = [file for file in re.findall(FILES, text) if not (PROJECT / file).exists() and not file.endswith(MADE_BY_A_READER)]
    assert not missing
    assert not [module for module in re.findall(r"-m (drnas_lib[\w.]*\w)", text) if find_spec(module) is None]


@each_page
def test_a_command_sets_parameters_that_the_notebook_has(page):
    text = page.read_text().replace("\\\n", " ")
    for notebook, rest in re.findall(r"papermill (notebooks/\w+\.ipynb)([^\n`]*)", text):
        assert set(re.findall(r"-p (\w+)", rest)) <= papermill.inspect_notebook(str(PROJECT / notebook)).keys(), notebook + rest


def test_the_pages_are_short_and_the_readme_links_to_each():
    for page in PAGES[1:]:
        assert page.read_text().count("\n") <= 120, page
        assert f"](docs/{page.name})" in PAGES[0].read_text(), f"the README says nothing of {page.name}"


def test_the_new_method_searches(settings, monkeypatch):
    file, row = blocks("new_method")
    names = {}
    exec(file, names)
    monkeypatch.setitem(sys.modules, "drnas_lib.methods.floored", type("Module", (), {"Floored": names["Floored"]}))
    monkeypatch.setitem(method_presets.METHODS, "floored", eval("{" + row + "}", {"MethodRow": MethodRow})["floored"])
    these = settings(TINY, method="floored")
    assert [progress.row["epoch"] for progress in search_run.run(these)] == [1]


def test_the_new_space_has_a_supernet_and_cells():
    (file,) = blocks("new_space")
    names = {}
    exec(file, names)
    space = names["LIGHT"]
    mask = torch.tensor(space.initial_mask(3))
    net = DartsSuperNet(space, 1, mask, "cifar", 4, 3, 10, 1)
    assert net(torch.zeros(2, 1, 8, 8), mask / 3).shape == (2, 10)
    assert {operation for operation, _ in space.genotype(torch.rand(space.shape)).normal} <= set(names["OPERATIONS"])


def test_the_new_data_set_is_read(tmp_path):
    reader, _ = blocks("your_data")
    names = {}
    exec(reader, names)
    images, labels = np.zeros((6, 8, 8), np.uint8), np.arange(6) % 2
    np.savez(tmp_path / "parity.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    train, test, source = names["read_npz"](tmp_path / "parity.npz")
    assert train.images.shape == (6, 1, 8, 8) and test.labels.tolist() == [0, 1] and source == "grey images from parity.npz."


def test_the_results_are_read_as_described(tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    names = {}
    for block in blocks("results"):
        exec(block.replace('"beta.png"', f'"{tmp_path}/beta.png"'), names)
    assert len(names["runs"]) and (tmp_path / "beta.png").stat().st_size > 10_000


def test_the_readme_has_every_notebook():
    named = set(re.findall(r"`(\w+)`", PAGES[0].read_text()))
    assert {path.stem for path in (PROJECT / "notebooks").glob("*.ipynb")} <= named
