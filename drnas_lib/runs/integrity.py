"""record.json and other JSON that detects damage: each has the SHA-256 of its own content and of the files beside it.

search/run.py and retrain/run.py say what is in a record.

JSON and CSV stay readable when a bit in a number flips, so only a checksum notices it. Older records have no checksum and are accepted.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from drnas_lib.runs.files import RecordError, RunFolder, as_json, read_json, write_json

CHECKSUM, BESIDE = "sha256", "sha256_of"
RECORD = "record.json"
WHAT_TO_DO = "Put back a whole copy, or make it again (a run: with rerun=True)"


def write(path: Path, content: dict, beside: Iterable[str] = ()) -> None:
    """Write `content` as JSON with checksums of itself and of the files named in `beside`, in the same folder. Raises RecordError."""
    files = {name: _of_file(path.with_name(name)) for name in beside}
    plain = {name: value for name, value in content.items() if name != CHECKSUM}
    values = json.loads(as_json(path, plain | ({BESIDE: files} if files else {})))  # as JSON gives them back: lists, and keys as text
    write_json(path, values | {CHECKSUM: _of_values(values)})


def read(path: Path) -> dict:
    """The content of a file of `write`, with the checksums of the files beside it. Raises RecordError if it is missing or damaged."""
    if not path.exists():
        raise RecordError(f"{path} is missing. {WHAT_TO_DO}.")
    content = read_json(path)
    if not isinstance(content, dict):
        raise RecordError(f"{path} holds a {type(content).__name__}, not a record. {WHAT_TO_DO}.")
    checksum = content.pop(CHECKSUM, None)
    if (checksum is not None or BESIDE in content) and checksum != _of_values(content):
        raise RecordError(f"{path} is not as it was written: damaged, or changed by hand. {WHAT_TO_DO}.")
    return content


def record(folder: RunFolder) -> dict:
    """The record of a run. Raises RecordError."""
    path = folder.file(RECORD)
    content = read(path)
    if not isinstance(content.get("parameters"), dict):
        raise RecordError(f"{path} is not the record of a run. {WHAT_TO_DO}.")
    return content


def checked(path: Path, of: dict) -> Path:
    """`path`, a file beside the record `of`. Raises RecordError if its checksum is not that of the record."""
    checksums = of.get(BESIDE, {})
    if path.name in checksums and checksums[path.name] != _of_file(path):
        raise RecordError(f"{path} is not what this run wrote: damaged, changed, or another run's. {WHAT_TO_DO}.")
    return path


def table(path: Path, of: dict):
    """The rows of a CSV file beside the record `of` as a DataFrame. Raises RecordError."""
    import pandas as pd  # here: parameters are checked without it

    try:
        return pd.read_csv(checked(path, of))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is damaged: {error}. {WHAT_TO_DO}.") from error


def _of_values(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()  # whatever the layout of the file


def _of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RecordError(f"could not read {path}: {error.strerror or error}. {WHAT_TO_DO}.") from error
