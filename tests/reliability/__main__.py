"""The reliability campaign: python -m tests.reliability [CAMPAIGN [--of NAME] [--seed S] [--count N]].

Without a campaign everything that `make soak` stands for, for an hour or two. The numbers add up in results/soak/counts.csv.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from drnas_lib.data.image_files import scan
from tests.reliability import clocks, crafted, damage, disks, fuzz, kills, not_finite, targets, two_processes, writes
from tests.reliability.counts import Count, keep
from tests.reliability.processes import heed_interrupts
from tests.reliability.runs import search_settings

Campaign = Callable[[str, int, int, Path], Iterator[Count]]  # of, count, seed, folder


def one(campaign: Callable[[str, int, int, Path], Count]) -> Campaign:
    def run(of: str, count: int, seed: int, folder: Path) -> Iterator[Count]:
        yield campaign(of, count, seed, folder)

    return run


def damages(of: str, count: int, seed: int, folder: Path) -> Iterator[Count]:
    with pytest.MonkeyPatch.context() as monkey:
        for name, target in targets.all_targets(folder, monkey).items():
            if of in (name, "all"):
                yield damage.campaign(name, target, count, seed)


def crafts(of: str, count: int, seed: int, folder: Path) -> Iterator[Count]:
    """Every content once, so `count` and `seed` say nothing."""
    with pytest.MonkeyPatch.context() as monkey:
        for name, target in (targets.all_targets(folder / "all", monkey) | targets.unguarded(folder / "unguarded")).items():
            if of in (name, "all"):
                yield crafted.campaign(name, target, folder)


def fuzzes(of: str, count: int, seed: int, folder: Path) -> Iterator[Count]:
    run = targets.finished(targets.experiment.run, search_settings(folder / "run", epochs=[1]))
    targets.of_lists(folder / "images")
    for name, held in fuzz.properties(folder, run, scan(folder / "images")).items():
        if of in (name, "all"):
            began, done = time.monotonic(), Count("fuzz", name, seed)
            done.attempt(lambda: fuzz.cases(held, count * held.weight, seed))  # noqa: B023
            done.seconds = time.monotonic() - began
            yield done


CAMPAIGNS: dict[str, Campaign] = {
    **{how: one(partial(kills.campaign, how=how)) for how in kills.SIGNALS},
    "writes": one(writes.campaign),
    "two": one(two_processes.two_at_once),
    "kernel": one(two_processes.interrupted_kernel),
    "disk": one(disks.campaign),
    "read-only": one(disks.turned_read_only),
    "clock": one(clocks.campaign),
    "nan": one(not_finite.campaign),
    "damage": damages,
    "crafted": crafts,
    "fuzz": fuzzes,
}
SOAK = (  # campaign, of, count
    *(("kill", name, 20) for name in ("search", "progressive", "search and its cells", "retrain", "table search")),
    *(("kill", name, 10) for name in ("search on two processes", "retrain on two processes")),
    *(("kill", name, 10) for name in ("partial_channels.ipynb", "nas_bench_201.ipynb", "search.ipynb")),
    *((how, name, 10) for how in ("interrupt", "terminate") for name in ("search", "retrain", "partial_channels.ipynb")),
    *(("writes", name, 15) for name in ("search", "retrain", "search and its cells", "table search")),
    *(("two", name, 5) for name in ("search", "retrain", "table search")),
    ("kernel", "search", 20),
    *(("disk", name, 10) for name in disks.KINDS),
    *(("read-only", name, 5) for name in ("search", "retrain")),
    *(("clock", name, 5) for name in ("search", "retrain")),
    *(("nan", name, 20) for name in ("search", "retrain")),
    ("damage", "all", 60),
    ("crafted", "all", 1),
    ("fuzz", "all", 200),
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__.split("\n")[0])
    parser.add_argument("campaign", nargs="?", choices=CAMPAIGNS)
    parser.add_argument("--of", default="search", help="what is tried: the name of a run, a file or a property; all, where there are many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    given = parser.parse_args(arguments)
    heed_interrupts()
    faults: list[str] = []
    for campaign, of, count in [(given.campaign, given.of, given.count)] if given.campaign else SOAK:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # an ordinary user may look, too
            for done in CAMPAIGNS[campaign](of, count, given.seed, Path(folder)):
                keep(done)
                outcomes = ", ".join(f"{number} {outcome}" for outcome, number in done.outcomes.items() if number)
                print(f"{done.campaign}, {done.of}: {done.tried} tried, {outcomes}; {done.seconds:.0f} s", flush=True)
                print(*done.faults[:1], sep="\n", end="\n" if done.faults else "", flush=True)
                faults += done.faults
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
