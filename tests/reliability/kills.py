"""Processes ended at random moments and started again until they are done: what they leave is what an undisturbed run leaves."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from drnas_lib.runs.files import PROJECT
from tests.reliability.counts import Count
from tests.reliability.left_behind import different, left_behind
from tests.reliability.processes import alive, await_end, children
from tests.reliability.runs import KINDS, Kind

SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
PATIENCE = 15.0  # seconds in which a kernel notices that whoever started it is gone
ATTEMPTS = 60  # starts of one run: more would mean that it does not come on


class NotTheSame(AssertionError):
    """A run that was interrupted left something else than one that was not."""


def start(kind: Kind, folder: Path) -> subprocess.Popen:
    """The process at work: it has said so, or the first file is there, or it has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    said = subprocess.PIPE if kind.begun else subprocess.DEVNULL
    process = subprocess.Popen(kind.command(folder), stdout=said, stderr=subprocess.PIPE, text=True, cwd=PROJECT, env=environment)
    if kind.begun:
        process.stdout.readline()
    while kind.begun is None and process.poll() is None and not at_work(folder):
        time.sleep(0.02)
    return process


def at_work(folder: Path) -> bool:
    """Whether a living process holds a run below this folder."""
    holders = (path.read_text().split() for path in folder.rglob("holder.lock"))
    return any(len(words) > 1 and alive(int(words[1])) for words in holders)


def whole(kind: Kind, folder: Path) -> tuple[dict, float]:
    """What an undisturbed run leaves, and the seconds from its beginning to its end."""
    process = start(kind, folder)
    began = time.monotonic()
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    return left_behind(folder), time.monotonic() - began


def stop(process: subprocess.Popen, how: signal.Signals, of_kernel: bool) -> bool:
    """Send the signal, to the notebook's kernel if asked; whether it was in time. What is left below it ends by itself."""
    below = children(process.pid)
    target = below[0] if of_kernel and below else process.pid
    with suppress(ProcessLookupError):
        os.kill(target, how)
    process.wait()
    assert await_end(below, PATIENCE), "what a process has started outlives it"
    process.communicate()
    return process.returncode != 0


def campaign(name: str, count: int, seed: int, folder: Path, how: str = "kill") -> Count:
    """At least `count` signals."""
    kind, draw, began = KINDS[name], random.Random(f"{name} {how} {seed}"), time.monotonic()
    expected, span = whole(kind, folder / "whole")
    done = Count(SIGNALS[how].name, name, seed)
    done.until(count, lambda number: Counter(exact=one_run(kind, folder / f"run{number}", span, draw, SIGNALS[how], expected)))
    done.seconds = time.monotonic() - began
    return done


def one_run(kind: Kind, folder: Path, span: float, draw: random.Random, how: signal.Signals, expected: dict) -> int:
    """How many signals a run met before it was done. Raises NotTheSame."""
    met = 0
    for _ in range(ATTEMPTS):
        process = start(kind, folder)
        try:
            process.wait(draw.uniform(0, span * (0.5 + met / 8)))  # more patient every time: not every run keeps its parts
        except subprocess.TimeoutExpired:
            met += stop(process, how, kind.begun is None and draw.random() < 0.5)
            continue
        errors = process.communicate()[1]
        if process.returncode:
            raise NotTheSame(f"after {met} signals the run does not go on: {errors[-1500:]}")
        if odd := different(left_behind(folder), expected):
            raise NotTheSame(f"after {met} signals other contents of {odd}")
        shutil.rmtree(folder)
        return met
    raise NotTheSame(f"the run does not come to its end in {ATTEMPTS} starts")
