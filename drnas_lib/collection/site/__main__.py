"""The site as a command: python -m drnas_lib.collection.site [--results FOLDER] [--out FOLDER]. Unchanged pages stay."""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.site import api, pages
from drnas_lib.collection.site.executed import ExecutedNotebook
from drnas_lib.runs.files import PROJECT, RecordError, atomic_write, read_json, resolve, write_json

MANIFEST = "rendered.json"  # page -> digest of the notebook, the template and the code that made it


def build(results: Path, out: Path) -> tuple[list[str], int]:
    """Make the site of `results`/notebooks in `out`. The names of the pages that were rendered now, and how many there are.

    Raises RecordError where `out` cannot be written.
    """
    notebooks, problems = _read(results / "notebooks")
    known: dict[str, str] = {}
    with suppress(RecordError):  # there is no manifest yet, or it is damaged: all pages are rendered
        known = read_json(out / MANIFEST)
    rendering = hashlib.sha256(b"".join((pages.HERE / name).read_bytes() for name in ("pages.py", "page.html"))).hexdigest()[:12]
    current = {notebook.name: f"{notebook.digest}-{rendering}" for notebook in notebooks}
    changed = [one for one in notebooks if known.get(one.name) != current[one.name] or not (out / f"{one.name}.html").exists()]
    for notebook in changed:
        if notebook.thumbnail:
            atomic_write(out / "thumbnails" / f"{notebook.name}.png", pages.thumbnail(notebook.thumbnail))
        atomic_write(out / f"{notebook.name}.html", pages.page(notebook, out))
    for gone in known.keys() - current.keys():
        for path in (out / f"{gone}.html", out / "thumbnails" / f"{gone}.png"):
            path.unlink(missing_ok=True)
    atomic_write(out / "style.css", pages.style())
    atomic_write(out / "index.html", pages.index(notebooks, Report.read(str(results)), problems, api.index(out)))
    write_json(out / MANIFEST, current)
    return [notebook.name for notebook in changed], len(notebooks)


def _read(folder: Path) -> tuple[list[ExecutedNotebook], list[str]]:
    """The notebooks in the index's order, and messages about those that could not be read."""
    found, problems = [], []
    for path in sorted(folder.glob("*.ipynb")):
        try:
            found.append(ExecutedNotebook.read(path))
        except RecordError as error:
            problems.append(str(error))
    place = {name: number for number, name in enumerate(pages.ORDER)}
    return sorted(found, key=lambda notebook: (place.get(notebook.source, len(place)), notebook.name)), problems


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.collection.site", description="The executed notebooks as a static site.")
    parser.add_argument("--results", default="results", help="folder whose notebooks/ are rendered (default: %(default)s)")
    parser.add_argument("--out", default="site", help="folder of the site (default: %(default)s)")
    options = parser.parse_args(arguments)
    results, out = resolve(options.results), resolve(options.out)
    if not (results / "notebooks").is_dir():
        sys.exit(f"error: there is no folder {results / 'notebooks'}. Run a notebook first, or name another folder with --results.")
    try:
        print(api.build(out))
        made, count = build(results, out)
    except RecordError as error:
        sys.exit(f"error: {error}")
    shown = out.relative_to(PROJECT) if out.is_relative_to(PROJECT) else out
    print(f"{count} notebooks, {len(made)} rendered now: open {shown / 'index.html'}")


if __name__ == "__main__":
    main()
