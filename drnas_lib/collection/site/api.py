"""The API pages of the library, not of the collection, made with pdoc where it is installed."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from drnas_lib.runs.files import PROJECT, atomic_write

FOLDER, INDEX = "api", "drnas_lib.html"
MISSING = "No API pages, since pdoc is not installed. Install it with `.venv/bin/pip install -e '.[site]'` and run this again."


def index(out: Path) -> str | None:
    """The address of the API pages in the site `out`, None where they have not been made."""
    return f"{FOLDER}/{INDEX}" if (out / FOLDER / INDEX).exists() else None


def build(out: Path) -> str:
    """Make the API pages in `out`/api unless they are up to date; a sentence says what was done. Raises RecordError."""
    if find_spec("pdoc") is None:
        return MISSING
    paths = [path for path in sorted((PROJECT / "drnas_lib").rglob("*.py")) if "collection" not in path.relative_to(PROJECT).parts]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    stamp = out / FOLDER / "sources.sha256"  # of the files that the pages were made from
    if stamp.exists() and stamp.read_text() == digest:
        return "The API pages are up to date."
    import pdoc  # imports all of the library, torch included

    pdoc.render.configure(docformat="markdown", footer_text="The library, without the collection.")
    pdoc.pdoc("drnas_lib", "!drnas_lib.collection", output_directory=out / FOLDER)
    atomic_write(stamp, digest)
    return f"API pages of {len(paths)} files made."
