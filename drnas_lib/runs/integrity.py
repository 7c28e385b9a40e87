"""Records that say whether they are whole: JSON with the SHA-256 of its own content and of the files beside it.

A bit that flips in a number leaves JSON and CSV as readable as before, so nothing else would tell. Records of before have no seal and
are taken as they are.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from drnas_lib.runs.records import RecordError, RunFolder, as_json, read_json, write_json

SEAL, BESIDE = "sha256", "sha256_of"
RECORD = "record.json"
WHAT_TO_DO = "Put back a whole copy, or make it again (a run: with rerun=True)"


def write(path: Path, content: dict, beside: Iterable[str] = ()) -> None:
    """`content` as sealed JSON; the files named in `beside`, in the same folder, are sealed with it. Raises RecordError."""
    files = {name: _of_file(path.with_name(name)) for name in beside}
    unsealed = {name: value for name, value in content.items() if name != SEAL}
    values = json.loads(as_json(path, unsealed | ({BESIDE: files} if files else {})))  # as they will be read: lists, and keys as text
    write_json(path, values | {SEAL: _of_values(values)})


def read(path: Path) -> dict:
    """What `write` was given, with the seals of the files beside it. Raises RecordError where it is missing, damaged or changed."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise RecordError(f"{path} holds a {type(content).__name__}, no record. {WHAT_TO_DO}.")
    seal = content.pop(SEAL, None)
    if (seal is not None or BESIDE in content) and seal != _of_values(content):
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
    """`path`, a file beside the record `of`, if it is what the record sealed. Raises RecordError."""
    seals = of.get(BESIDE, {})
    if path.name in seals and seals[path.name] != _of_file(path):
        raise RecordError(f"{path} is not what this run wrote, by its record: damaged, changed, or another run's. {WHAT_TO_DO}.")
    return path


def table(path: Path, of: dict):
    """The rows of a CSV file beside the record `of` as a DataFrame. Raises RecordError."""
    import pandas as pd  # parameters are checked without it

    try:
        return pd.read_csv(checked(path, of))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} is damaged: {error}. {WHAT_TO_DO}.") from error


def _of_values(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()  # however they are laid out in the file


def _of_file(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RecordError(f"could not read {path}: {error.strerror or error}. {WHAT_TO_DO}.") from error
