"""A process killed just before one of its writes: between any two of them the folder must be one that a run can go on from."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from drnas_lib.runs.files import PROJECT
from tests.reliability.counts import Count
from tests.reliability.kills import NotTheSame, whole
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import KINDS, Kind

FATAL = """
import atexit, itertools, os, signal
moment = itertools.count(1)
def counted(action):
    def call(*arguments, **names):
        if next(moment) == int(os.environ["FATAL_WRITE"]): os.kill(os.getpid(), signal.SIGKILL)
        return action(*arguments, **names)
    return call
os.fsync, os.replace, os.unlink, os.mkdir = map(counted, (os.fsync, os.replace, os.unlink, os.mkdir))
atexit.register(lambda: print(next(moment) - 1))
"""


def campaign(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` different moments of a script's run, or all that there are."""
    kind, began = KINDS[name], time.monotonic()
    expected, _ = whole(kind, folder / "whole")
    there = int(until_write(kind, folder / "counted", 0).stdout.split()[-1])
    done = Count("SIGKILL before a write", name, seed)
    for moment in sorted(random.Random(seed).sample(range(1, there + 1), min(count, there))):
        place = folder / f"write{moment}"
        done.attempt(lambda: goes_on(kind, place, moment, expected))  # noqa: B023
        shutil.rmtree(place)
    done.seconds = time.monotonic() - began
    return done


def goes_on(kind: Kind, folder: Path, moment: int, expected: dict) -> str:
    """Raises NotTheSame."""
    killed = until_write(kind, folder, moment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    after = until_write(kind, folder, 0)
    if after.returncode or left_behind(folder) != expected:
        raise NotTheSame(f"killed before write {moment}: {after.stderr[-1500:] or sorted(left_behind(folder))}")
    return "exact"


def until_write(kind: Kind, folder: Path, moment: int) -> subprocess.CompletedProcess:
    """The run, killed before its `moment`-th write; 0: never, and it says how many there were."""
    folder.mkdir(parents=True, exist_ok=True)
    python, option, script, parameters = kind.command(folder)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "FATAL_WRITE": str(moment)}
    command = [python, option, FATAL + script, parameters]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
