"""python -m drnas_lib.collection.site: pages that open from the file system, rendered only where something changed."""

import re
import shutil

import pytest

from drnas_lib.runs.records import PROJECT
from drnas_lib.collection.site.__main__ import build, main

NOTEBOOKS = ("robust_spaces", "partial_channels_cifar10_reduced_cpu")


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
    for part in ("Partial channels: Table 1", "reduced", "tables only", "2026-11-24", "Table 4", "Figure 5", "thumbnails/partial_channels"):
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
