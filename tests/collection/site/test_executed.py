"""drnas_lib.collection.site.executed: what the index says of a notebook."""

import json
import re
import shutil

import pytest

from drnas_lib.runs.files import PROJECT, RecordError
from drnas_lib.collection.site import executed, pages
from drnas_lib.collection.site.executed import ExecutedNotebook

COMMITTED = {path.stem: path for path in (PROJECT / "results" / "notebooks").glob("*.ipynb")}


def changed(tmp_path, name, change):
    notebook = json.loads(COMMITTED[name].read_text())
    change(notebook)
    path = tmp_path / f"{name}.ipynb"
    path.write_text(json.dumps(notebook))
    return ExecutedNotebook.read(path)


@pytest.mark.parametrize("name", COMMITTED)
def test_every_committed_notebook_is_known(name):
    found = ExecutedNotebook.read(COMMITTED[name])
    assert found.length in (executed.FULL, executed.REDUCED, executed.READS, executed.MEASURES) and found.source in pages.ORDER
    assert found.title and found.sentence.endswith(("?", ".")) and "**" not in found.sentence
    assert found.length == executed.REDUCED or not name.endswith("_cpu") or found.source == "speed"


@pytest.mark.parametrize("name", COMMITTED)
def test_no_committed_notebook_names_a_path_of_the_machine_that_made_it(name):
    assert not re.findall(r"(?<![\w.:/])/(?:home|mnt|opt|root|tmp|work|Users)/[^\s\"']*", COMMITTED[name].read_text())


@pytest.mark.parametrize(
    ("name", "protocol", "length"),
    [
        ("search_cifar10_drnas_paper_laptop_seed0", "paper", executed.REDUCED),
        ("nas_bench_201_policies", "lookup", executed.FULL),
        ("exploration_cifar10_laptop_seed0", "released", executed.REDUCED),
        ("report", "", executed.READS),
        ("speed_cpu", "", executed.MEASURES),
    ],
)
def test_protocol_and_length(name, protocol, length):
    found = ExecutedNotebook.read(COMMITTED[name])
    assert (found.protocol, found.length) == (protocol, length)


def test_question_and_first_figure():
    found = ExecutedNotebook.read(COMMITTED["robust_spaces"])
    assert found.sentence.startswith("On the four spaces in which DARTS fails (Zela et al. 2020), what") and found.sentence.endswith("?")
    assert found.thumbnail is None and ExecutedNotebook.read(COMMITTED["darts_space"]).thumbnail.startswith(b"\x89PNG")


def test_full_length_is_called_so(tmp_path):
    full = changed(tmp_path, "search_cifar10_drnas_paper_laptop_seed0", lambda n: n["metadata"]["papermill"].update(parameters={"dataset": "cifar10"}))
    assert (full.protocol, full.length) == ("released", executed.FULL)


def test_what_is_not_known_is_called_so(tmp_path):
    lost = changed(tmp_path, "exploration_cifar10_laptop_seed0", lambda n: n["metadata"]["papermill"]["parameters"].update(run="not/there"))
    assert lost.length == executed.UNKNOWN
    by_hand = changed(tmp_path, "search_cifar10_drnas_paper_laptop_seed0", lambda n: n["metadata"].pop("papermill"))
    assert by_hand.length == executed.UNKNOWN and by_hand.ended.year >= 2026
    stopped = changed(tmp_path, "search_cifar10_drnas_paper_laptop_seed0", lambda n: n["metadata"]["papermill"].update(exception=True))
    assert stopped.length == executed.STOPPED


@pytest.mark.parametrize("content", [b"", b"{}", b'{"cells": 3, "metadata": {}}', b"\xff\xfe\x00"])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="broken.ipynb is no notebook"):
        ExecutedNotebook.read(path)


def test_a_notebook_named_after_itself_where_it_has_no_heading(tmp_path):
    shutil.copy(COMMITTED["robust_spaces"], tmp_path / "x.ipynb")
    bare = changed(tmp_path, "robust_spaces", lambda n: n.update(cells=[]))
    assert (bare.title, bare.sentence) == ("robust_spaces", "")
