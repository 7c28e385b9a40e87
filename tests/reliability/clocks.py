"""A clock that jumps by years, forwards and backwards, at every look: nothing that a run leaves may depend on it."""

import csv
import os
import shutil
import subprocess
import time
from pathlib import Path

from drnas_lib.runs.files import PROJECT
from tests.reliability.counts import Count
from tests.reliability.kills import NotTheSame
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import KINDS, Kind

JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long jump(void) {  /* up to three years, either way */
  static unsigned state = SEED;
  state = state * 1103515245u + 12345u;
  return (long)(state % 200000000u) - 100000000L;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += jump();
  return answer;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  int answer = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
  return answer;
}
time_t time(time_t *where) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (where) *where = exact.tv_sec;
  return exact.tv_sec;
}
"""


def compiler() -> str | None:
    return shutil.which("gcc") or shutil.which("cc")


def jumping(folder: Path, seed: int) -> Path:
    """A library that, loaded before all others, makes the clock of the wall jump."""
    folder.mkdir(parents=True, exist_ok=True)
    source, library = folder / "jumping.c", folder / f"jumping{seed}.so"
    source.write_text(JUMPING.replace("SEED", f"{seed}u"))
    subprocess.run([compiler(), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def campaign(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` runs under a jumping clock."""
    kind, began, done = KINDS[name], time.monotonic(), Count("clock jumps", name, seed)
    subprocess.run(kind.command(folder / "whole"), cwd=PROJECT, check=True, capture_output=True)
    expected = left_behind(folder / "whole")
    for number in range(seed, seed + count):
        place = folder / f"jumps{number}"
        done.attempt(lambda: under(jumping(folder, number + 1), kind, place, expected))  # noqa: B023
    done.seconds = time.monotonic() - began
    return done


def under(clock: Path, kind: Kind, folder: Path, expected: dict) -> str:
    """Raises NotTheSame."""
    environment, began = os.environ | {"LD_PRELOAD": str(clock), "OMP_NUM_THREADS": "1"}, time.monotonic()
    answer = subprocess.run(kind.command(folder), cwd=PROJECT, env=environment, capture_output=True, text=True)
    if answer.returncode or left_behind(folder) != expected:
        raise NotTheSame(f"under a jumping clock: {answer.stderr[-1500:] or 'another result'}")
    assert_plausible(folder, time.monotonic() - began)
    return "exact"


def assert_plausible(folder: Path, most: float) -> None:
    """Seconds in the histories are those of a clock that only goes forward."""
    for path in folder.rglob("history.csv"):
        with open(path) as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
        assert seconds and all(0 < value < most for value in seconds), seconds
