"""The files of a run: its folder with a lock, files that are either whole or absent, and a description of the machine."""

import csv
import errno
import io
import json
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from drnas_lib.errors import UserError

PROJECT = Path(__file__).resolve().parents[2]
DONE = "done.json"
LOCK, HOLDER = "run.lock", "holder.lock"
LEFTOVERS = "*.tmp"  # of a writer that was killed
CODE = ("drnas_lib", "notebooks", "pyproject.toml", "constraints.txt")  # besides its parameters a result depends on these
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "papermill", "nbclient", "matplotlib")
NAME_ONE = "Name the folder of one seed, like results/search/NAME/seed0"

ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "The disk is full: free some space")
ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Make it writable, or choose another folder with `results`")
ADVICE |= dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST), "A folder is where a file should be, or the reverse: move it away")


class RecordError(UserError, RuntimeError):
    """A file of a run could not be written or read."""


class RunLocked(UserError, RuntimeError):
    """Another process is working in this run's folder."""


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one means the project root, wherever the kernel was started."""
    path = Path(os.path.expanduser(path))
    return path if path.is_absolute() else PROJECT / path


def existing(path: str | Path) -> Path:
    """`resolve` for a folder that is only read. Raises RecordError if there is none."""
    path = resolve(path)
    if not path.is_dir():
        raise RecordError(f"there is no folder {path}. Name the folder of the runs with `results`; relative paths begin at {PROJECT}.")
    return path


def data_root() -> Path:
    """The folder of the data sets and the benchmark table: DRNAS_DATA, or `data/` in the project."""
    return resolve(os.environ.get("DRNAS_DATA") or "data")


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write beside `path`, then rename: a reader sees the old file or the new one. Raises RecordError, which leaves the old one."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise RecordError(f"could not write {path}: {explained(error)} The last good version is untouched.") from error
    finally:
        with suppress(OSError):  # gone already, or its folder could not be made
            temporary.unlink()


def explained(error: OSError) -> str:
    """The message of the system, and what to do about it."""
    advice = ADVICE.get(error.errno or 0)
    return f"{error.strerror or error}." + (f" {advice}, then run the same again: it continues." if advice else "")


def write_json(path: Path, value: object) -> None:
    """Write indented JSON. Raises RecordError."""
    atomic_write(path, as_json(path, value))


def as_json(path: Path, value: object) -> str:
    """Indented JSON. Raises RecordError for values that JSON lacks, including NaN and infinity, which other readers refuse."""
    try:
        return json.dumps(value, indent=1, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"could not write {path}: {error}. Write None for what is unknown.") from error


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises RecordError if the file is missing or damaged, or has NaN or infinity."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError as error:
        raise RecordError(f"could not read {path}: there is no such file. Correct the path, or make the file first.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"could not read {path}: {error}. If it is damaged, delete it and run again with rerun=True.") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write rows with the same keys; floats keep every digit, so that equal runs write equal files. Raises RecordError."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())


def remove(path: Path) -> None:
    """Delete a file if it is there. Raises RecordError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise RecordError(f"could not remove {path}: {explained(error)}") from error


def environment() -> dict:
    """Machine, versions, commit and time, as JSON values. Reads the metadata of packages only, so it imports nothing heavy."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpu": _cpu(),
        "cpu_cores": os.cpu_count(),
        "packages": versions,
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", *CODE)),
        "time_utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*arguments: str) -> str | None:
    if shutil.which("git") is None:
        return None
    answer = subprocess.run(["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


class RunFolder:
    """The folder of one run: `<results>/<stem>/seed<k>/`."""

    def __init__(self, path: str | Path):
        self.path = resolve(path)

    def file(self, name: str) -> Path:
        return self.path / name

    @property
    def done(self) -> bool:
        """Whether the run is complete: done.json is written after all other files."""
        return os.path.isfile(self.file(DONE))

    def must_be_done(self, what: str) -> None:
        """Raises RecordError if this is not the folder of a finished run; `what` is "search" or "training"."""
        if self.done:
            return
        found = f"{self.path} holds no finished {what} (no {DONE})" if self.path.is_dir() else f"there is no folder {self.path}"
        raise RecordError(f"{found}. {NAME_ONE}; a relative path begins at {PROJECT}. An interrupted {what} continues with its command.")

    def finish(self, summary: dict) -> None:
        """Mark the run as complete. Raises RecordError."""
        write_json(self.file(DONE), summary)

    def clear(self) -> None:
        """Remove the files of an earlier run, done.json first; files of other names stay."""
        remove(self.file(DONE))
        for pattern in ("*.json", "*.csv", "checkpoint-*", "snapshot-*", LEFTOVERS):
            for path in self.path.glob(pattern):
                remove(path)

    @contextmanager
    def lock(self, wait: bool = False) -> Iterator[None]:
        """Hold the folder within the block; the system frees it when the process ends in any way.

        Where another process holds it, `wait` says so and waits. Raises RunLocked, RecordError.
        """
        holder, lock = self.file(HOLDER), FileLock(self.file(LOCK))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):
                lock.acquire(timeout=0)
            if not lock.is_locked:
                self._in_use(holder, wait)
                lock.acquire()
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
            for path in self.path.rglob(LEFTOVERS):
                path.unlink(missing_ok=True)
        except OSError as error:
            lock.release()
            raise RecordError(f"could not use {self.path}: {explained(error)}") from error
        try:
            yield
        finally:
            with suppress(OSError):  # the folder may have become read-only; the lock is the system's all the same
                holder.unlink(missing_ok=True)
            lock.release()

    def _in_use(self, holder: Path, wait: bool) -> None:
        """Say who holds the folder; raises RunLocked unless the caller waits."""
        who = "another process"
        with suppress(OSError, ValueError):  # that process may be removing the file
            who = holder.read_text() or who
        if not wait:
            what_to_do = "Wait for it, stop it, or give this run another name with the parameter `name`."
            raise RunLocked(f"{self.path} is in use by {who}. {what_to_do}")
        print(f"Waiting for {who}, which uses {self.path}.", flush=True)
