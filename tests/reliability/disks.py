"""A disk that fills up, or turns read-only, while a run goes on: the run stops and says so, and goes on exactly once there is room."""

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.retrain import run as retrain_run
from drnas_lib.runs import checkpoint
from drnas_lib.runs.files import RecordError, RunFolder
from drnas_lib.search import run as search_run
from tests.reliability.counts import Count
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import LOOKED_UP, retrain_settings, search_settings

SIZE_KB, MOST_FREE_KB = 65536, 4096


@dataclass(frozen=True)
class Kind:
    settings: Callable[[Path], object]
    run: Callable[[object], object]  # all of it, or what is left


KINDS = {
    "search": Kind(lambda folder: search_settings(folder, epochs=[3]), lambda settings: list(search_run.run(settings))),
    "retrain": Kind(lambda folder: retrain_settings(folder, epochs=3), lambda settings: list(retrain_run.run(settings))),
    "table search": Kind(lambda folder: TableSearchSettings.of(**LOOKED_UP, results=str(folder)), policies.run),
}


def can_mount(place: Path) -> bool:
    """Only root may, and not in every container."""
    if os.geteuid() or shutil.which("mount") is None:
        return False
    with small_disk(place / "try") as disk:
        return disk is not None


@contextmanager
def small_disk(place: Path) -> Iterator[Path | None]:
    """A disk of its own of SIZE_KB, None where the system does not allow it."""
    place.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", place], capture_output=True).returncode == 0
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path, free: int) -> Path:
    """A file that leaves so many bytes."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        there = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(1, there.f_bavail * there.f_bsize - free))
    return ballast


def campaign(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` runs that met a full disk."""
    kind, draw, began, done = KINDS[name], random.Random(f"{name} {seed}"), time.monotonic(), Count("full disk", name, seed)
    kind.run(kind.settings(folder / "whole"))
    expected = left_behind(folder / "whole")

    def one(number: int) -> Counter:
        with small_disk(folder / f"disk{number}") as disk:
            free = 1024 * draw.uniform(0, MOST_FREE_KB) ** draw.uniform(0.3, 1)  # often little: the first files are small
            return Counter(exact=met_a_full_disk(kind, disk, int(free), expected))

    done.until(count, one)
    done.seconds = time.monotonic() - began
    return done


def met_a_full_disk(kind: Kind, disk: Path, free: int, expected: dict) -> int:
    """1 if the room was too small, 0 if it was enough. Raises AssertionError."""
    settings, ballast, met = kind.settings(disk / "runs"), fill(disk, free), 0
    try:
        kind.run(settings)
    except RecordError as error:
        met = 1
        assert "free some space" in str(error) and str(disk) in str(error), error
        assert not RunFolder(settings.folder).done
        assert_whole(RunFolder(settings.folder).path)
    ballast.unlink()
    kind.run(settings)
    assert left_behind(disk / "runs") == expected
    return met


def assert_whole(folder: Path) -> None:
    """No file is half written: every checkpoint passes its own check."""
    for path in checkpoint.list_checkpoints(folder):
        checkpoint.read(path, torch.device("cpu"))


def turned_read_only(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` runs that were stopped and whose disk then lets nothing be written for a while."""
    kind, draw, began, done = KINDS[name], random.Random(f"{name} {seed}"), time.monotonic(), Count("read-only disk", name, seed)
    kind.run(kind.settings(folder / "whole"))
    expected = left_behind(folder / "whole")
    for number in range(count):
        with small_disk(folder / f"disk{number}") as disk:
            done.attempt(lambda: met_a_read_only_disk(name, disk, draw.randint(1, 3), expected))  # noqa: B023
    done.seconds = time.monotonic() - began
    return done


def met_a_read_only_disk(name: str, disk: Path, epochs: int, expected: dict) -> str:
    """Raises AssertionError."""
    kind, settings = KINDS[name], KINDS[name].settings(disk / "runs")
    progress = {"search": search_run.run, "retrain": retrain_run.run}[name](settings)
    for _ in range(epochs):
        next(progress)
    progress.close()  # a disk with an open file cannot be turned
    writable(disk, False)
    try:
        kind.run(settings)
    except RecordError as error:
        assert "Make it writable" in str(error), error
    else:
        raise AssertionError("nothing was written, and nothing said")
    writable(disk, True)
    kind.run(settings)
    assert left_behind(disk / "runs") == expected
    return "exact"


def writable(disk: Path, yes: bool) -> None:
    subprocess.run(["mount", "-o", f"remount,{'rw' if yes else 'ro'}", disk], check=True)
