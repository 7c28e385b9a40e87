"""python -m drnas_lib.collection.site: pages that open from the file system, rendered only where something changed."""

import re
import shutil
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from drnas_lib.runs.files import PROJECT, read_json
from drnas_lib.collection.site import api
from drnas_lib.collection.site.__main__ import build, main

NOTEBOOKS = ("robust_spaces", "partial_channels_cifar10_laptop")


@pytest.fixture
def place(tmp_path):
    results = tmp_path / "results"
    (results / "notebooks").mkdir(parents=True)
    for name in NOTEBOOKS:
        shutil.copy(PROJECT / "results" / "notebooks" / f"{name}.ipynb", results / "notebooks")
    return results, tmp_path / "site"


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(place):
    results, out = place
    made, count = build(results, out)
    assert sorted(made) == sorted(NOTEBOOKS) and count == 2
    for path in out.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text and not re.search(r'(?:href|src)="https?:', text)
        links = [link for link in re.findall(r'(?:href|src)="([^"#]+)"', text) if not link.startswith("data:")]
        assert links and all((out / link).exists() for link in links), path.name
    index = (out / "index.html").read_text(encoding="utf-8")
    day = read_json(results / "notebooks" / f"{NOTEBOOKS[1]}.ipynb")["metadata"]["papermill"]["end_time"][:10]
    for part in ("Partial channels: Table 1", "reduced", "tables only", day, "Table 4", "Figure 5", "thumbnails/partial_channels"):
        assert part in index
    assert "paper: GPU memory (MB)" in (out / f"{NOTEBOOKS[1]}.html").read_text(encoding="utf-8")


def test_only_what_changed_is_rendered_again_and_what_is_gone_goes(place):
    results, out = place
    build(results, out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*_*.html")}
    assert build(results, out) == ([], 2)
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*_*.html")} == before
    first, second = (results / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS)
    first.write_text(first.read_text() + "\n")
    (out / f"{NOTEBOOKS[1]}.html").unlink()
    assert build(results, out) == ([*NOTEBOOKS[::-1]], 2)  # in the order of the index
    second.unlink()
    assert build(results, out) == ([], 1)
    assert not (out / f"{NOTEBOOKS[1]}.html").exists() and not list((out / "thumbnails").iterdir())


def test_a_damaged_notebook_is_named_and_the_others_are_rendered(place):
    results, out = place
    (results / "notebooks" / "broken.ipynb").write_text("{")
    assert build(results, out)[1] == 2
    assert "broken.ipynb is no notebook that can be read" in (out / "index.html").read_text(encoding="utf-8")


def test_the_command(place, capsys):
    results, out = place
    main(["--results", str(results), "--out", str(out)])
    assert "2 notebooks, 2 rendered now" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="there is no folder"):
        main(["--results", str(out / "none")])


def test_without_pdoc_the_command_says_how_to_install_it(place, capsys, monkeypatch):
    results, out = place
    monkeypatch.setattr(api, "find_spec", lambda name: None)
    main(["--results", str(results), "--out", str(out)])
    assert "pip install -e '.[site]'" in capsys.readouterr().out
    assert "api/" not in (out / "index.html").read_text(encoding="utf-8")


def test_the_api_pages_are_of_the_library_alone_and_made_once(place, monkeypatch):
    results, out = place
    made = []

    def pdoc(*modules, output_directory):
        made.append(modules)
        (output_directory / api.INDEX).parent.mkdir(parents=True)
        (output_directory / api.INDEX).write_text("pages")

    monkeypatch.setattr(api, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "pdoc", SimpleNamespace(pdoc=pdoc, render=SimpleNamespace(configure=lambda **options: None)))
    assert "files made" in api.build(out) and api.build(out) == "The API pages are up to date."
    assert made == [("drnas_lib", "!drnas_lib.collection")]
    build(results, out)
    assert 'href="api/drnas_lib.html"' in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.skipif(find_spec("pdoc") is None, reason="no pdoc: pip install .[site]")
def test_pdoc_makes_a_page_of_every_package(tmp_path):
    assert "files made" in api.build(tmp_path)
    made = {path.relative_to(tmp_path / "api").as_posix() for path in (tmp_path / "api").rglob("*.html")}
    assert {"drnas_lib.html", "drnas_lib/search.html", "drnas_lib/architecture/dirichlet.html"} <= made
    assert not [name for name in made if "collection" in name]
    assert "<script src=" not in (tmp_path / "api" / "drnas_lib.html").read_text(encoding="utf-8")
