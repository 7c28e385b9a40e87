"""What a run leaves behind: its folder, files that are either whole or absent, a lock, and the facts of the machine."""

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

from filelock import FileLock, Timeout

from drnas_lib.errors import Told

PROJECT = Path(__file__).resolve().parents[1]
DONE = "done.json"
LOCK, HOLDER = "run.lock", "holder.lock"
LEFTOVERS = "*.tmp"  # of a writer that was killed
CODE = ("drnas_lib", "notebooks", "pyproject.toml", "constraints.txt")  # what a result depends on besides its parameters
PACKAGES = ("torch", "torchvision", "numpy", "pandas", "papermill", "nbclient", "matplotlib")


class RecordError(Told, RuntimeError):
    """A file of a run could not be written or read."""


class RunLocked(Told, RuntimeError):
    """Another process is working in this run's folder."""


def resolve(path: str | Path) -> Path:
    """An absolute path; a relative one means the project root, wherever the kernel was started."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else PROJECT / path


def data_root() -> Path:
    """The folder of the data sets and the benchmark table: DRNAS_DATA, or `data/` in the project."""
    return resolve(os.environ.get("DRNAS_DATA") or "data")


def atomic_write(path: Path, data: bytes | str) -> None:
    """Write a file beside `path`, then put it in place in one step: a reader sees the old content or the new one.

    Raises RecordError, the old file kept, where the disk is full or the folder cannot be written.
    """
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
        free = " The disk is full: free some space." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise RecordError(f"could not write {path}: {error.strerror or error}.{free} The last good version is untouched.") from error
    finally:
        with suppress(OSError):  # gone already, or its folder could not be made
            temporary.unlink()


def write_json(path: Path, value: object) -> None:
    """Indented JSON. Raises RecordError for what JSON lacks, NaN and infinity among it, since no other reader would take them."""
    try:
        text = json.dumps(value, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecordError(f"could not write {path}: {error}. Write None for what is unknown.") from error
    atomic_write(path, text + "\n")


def read_json(path: Path):
    """The value in a JSON file; RecordError says which file is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise RecordError(f"could not read {path}: {error}. If it is damaged, delete it and run again with rerun=True.") from error


def write_csv(path: Path, rows: list[dict]) -> None:
    """Rows with the same keys; floats keep every digit, so that files of equal runs are equal."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue())


def environment() -> dict:
    """Machine, versions, commit and time, JSON-ready. Reads installed metadata only, so it imports nothing heavy."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
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
        """True once the run has ended well: done.json is written after everything else."""
        return self.file(DONE).exists()

    def finish(self, summary: dict) -> None:
        write_json(self.file(DONE), summary)

    def clear(self) -> None:
        """Remove what an earlier run left, the proof that it ended first; files of other names stay."""
        self.file(DONE).unlink(missing_ok=True)
        for pattern in ("*.json", "*.csv", "checkpoint-*", "snapshot-*", LEFTOVERS):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; the system lets go of it when the process ends, however it ends. Raises RunLocked, RecordError."""
        holder, lock = self.file(HOLDER), FileLock(self.file(LOCK))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        except Timeout:
            who = holder.read_text() if holder.exists() else "another process"
            raise RunLocked(
                f"{self.path} is in use by {who}. Wait for it, stop it, or give this run another name with the parameter `name`."
            ) from None
        except OSError as error:
            lock.release()
            raise RecordError(f"could not use {self.path}: {error.strerror or error}.") from error
        try:
            for path in self.path.rglob(LEFTOVERS):
                path.unlink(missing_ok=True)
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()
