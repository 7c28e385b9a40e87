"""All that a run leaves in its folder but times and a GPU's memory: equal for a run that was interrupted and one that was not."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

TIMES = {"seconds", "images_per_s", "search_s", "evaluation_s", "train_s", "wall_s"}
OF_THE_MACHINE = {"searches_at_once", "peak_memory_mb", "gpu_peak_memory_mb", "environment"}
OF_ITS_PLACE = {"sha256", "sha256_of", "folder", "results"}  # seals are of files with times in them
NOT_OF_THE_RUN = (".lock", ".tmp", ".ipynb")


def left_behind(root: Path, but: Callable[[str], bool] = lambda name: False) -> dict[str, object]:
    """Relative path -> content: rows of a CSV file, values of a JSON file, SHA-256 of any other. `but` says which names not."""
    files = (path for path in sorted(root.rglob("*")) if path.suffix not in NOT_OF_THE_RUN and not but(path.name))
    files = [path for path in files if path.is_file()]
    return {path.relative_to(root).as_posix(): _content(path) for path in files}


def different(found: dict[str, object], expected: dict[str, object]) -> str:
    """The paths whose content differs or that only one side has; "" for none."""
    return ", ".join(sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path)))


def _content(path: Path) -> object:
    content = path.read_bytes()
    return READERS.get(path.suffix, lambda bytes: hashlib.sha256(bytes).hexdigest())(content)


def _rows(content: bytes) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in TIMES | OF_THE_MACHINE} for row in csv.DictReader(io.StringIO(content.decode()))]


def _values(content: bytes) -> object:
    return _timeless(json.loads(content))


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES | OF_THE_MACHINE | OF_ITS_PLACE}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


READERS = {".csv": _rows, ".json": _values}
