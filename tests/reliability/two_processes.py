"""Two processes in one folder, and a kernel that is interrupted: nothing is lost, and whoever has to wait is told."""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from drnas_lib.runs.files import PROJECT
from tests.reliability.counts import Count
from tests.reliability.kills import ATTEMPTS, NotTheSame, whole
from tests.reliability.left_behind import different, left_behind
from tests.reliability.runs import KINDS, SEARCH, Kind

REFUSED = "is in use by process"
CELL = """
from drnas_lib.search.run import run
from drnas_lib.config.search import SearchConfig
from drnas_lib.collection.views.live import Live
live = Live("nb201")
for progress in run(SearchConfig.of({parameters!r}).settings(), on_step=live.tick):
    live.show(progress)
"""


def two_at_once(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` times the same command twice at the same time."""
    kind, draw, began, done = KINDS[name], random.Random(seed), time.monotonic(), Count("two at once", name, seed)
    expected, span = whole(kind, folder / "whole")
    for number in range(count):
        place = folder / f"two{number}"
        done.attempt(lambda: of_two(kind, place, draw.uniform(0, span / 2), expected))  # noqa: B023
    done.seconds = time.monotonic() - began
    return done


def of_two(kind: Kind, folder: Path, apart: float, expected: dict) -> str:
    """ "told" where the second was refused, "exact" where it came when the first had ended. Raises NotTheSame."""
    one = popen(kind.command(folder))
    time.sleep(apart)
    other = popen(kind.command(folder))
    errors = [process.communicate()[1] for process in (one, other)]
    codes, told = (one.returncode, other.returncode), [REFUSED in text for text in errors]
    if not all(code == 0 or refused for code, refused in zip(codes, told)) or all(codes):
        raise NotTheSame(f"two at once ended with {codes}: {errors}")
    if odd := different(left_behind(folder), expected):
        raise NotTheSame(f"two at once left other contents of {odd} than one")
    return "told" if any(told) else "exact"


def popen(command: list[str]) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def interrupted_kernel(name: str, count: int, seed: int, folder: Path) -> Count:
    """At least `count` interrupts of a cell, as JupyterLab's stop button sends them; the cell is then run again in the same kernel.

    Only of a search.
    """
    draw, began, done = random.Random(seed), time.monotonic(), Count("interrupted kernel", name, seed)
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(PROJECT))
    try:
        for number in range(2):  # the first time it imports: an import that is cut in two spoils a kernel, whosever it is
            since, place = time.monotonic(), folder / f"whole{number}"
            reply = executed(client, cell(place))
            assert reply["status"] == "ok", reply
        expected, span = left_behind(place), time.monotonic() - since
        done.until(count, lambda number: Counter(exact=until_done(manager, client, folder / f"run{number}", span, draw, expected)))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    done.seconds = time.monotonic() - began
    return done


def cell(folder: Path) -> str:
    return CELL.format(parameters=SEARCH | {"results": str(folder)})


def executed(client, source: str, meanwhile: Callable[[], None] = lambda: None) -> dict:
    """What the kernel replies to a cell; `meanwhile` happens while it runs."""
    request = client.execute(source)
    meanwhile()
    reply = client.get_shell_msg(timeout=60)
    while reply["parent_header"]["msg_id"] != request:
        reply = client.get_shell_msg(timeout=60)
    return reply["content"]


def until_done(manager, client, folder: Path, span: float, draw: random.Random, expected: dict) -> int:
    """How many interrupts a run met. Raises NotTheSame."""
    for met in range(ATTEMPTS):

        def interrupt(wait: float = draw.uniform(0, span * (0.5 + met / 8))) -> None:
            time.sleep(wait)
            manager.interrupt_kernel()

        reply = executed(client, cell(folder), interrupt)
        if reply["status"] == "ok":
            if odd := different(left_behind(folder), expected):
                raise NotTheSame(f"after {met} interrupts of the kernel other contents of {odd}")
            return met
        # "aborted": the interrupt met the cell while it waited for the one before.
        if reply["status"] != "aborted" and reply["ename"] != "KeyboardInterrupt":
            raise NotTheSame(f"after {met} interrupts: {reply}")
    raise NotTheSame(f"the run does not come to its end in {ATTEMPTS} starts")
