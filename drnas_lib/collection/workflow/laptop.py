"""The command `make laptop`: runs the jobs of campaign.py, as many at a time as there are cores, and shows the progress.

python -m drnas_lib.collection.workflow.laptop -n        the jobs that are left, with their estimated minutes
python -m drnas_lib.collection.workflow.laptop           runs them with Snakemake; Ctrl-C stops, the same command continues
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drnas_lib.collection.paper.missing import duration
from drnas_lib.collection.workflow.campaign import Job, Plan, jobs
from drnas_lib.collection.workflow.running import is_running
from drnas_lib.config.scales import SCALES
from drnas_lib.runs.files import PROJECT

SNAKEFILE = Path(__file__).with_name("laptop.smk")
LOG = "laptop.log"  # of Snakemake and of the jobs, beside the notebooks
PAUSE_S = 1.0  # between two looks at the notebooks
SHOWN = 3  # names of running jobs on the line


class Progress:
    """Which jobs are done, running and left, as the notebooks and their locks show."""

    def __init__(self, jobs: list[Job], cores: int):
        self.jobs, self.cores = jobs, cores
        self.there = made(jobs)
        self.started: dict[str, float] = {}  # notebook -> when its job was first seen to run
        self.took: dict[str, float] = {}  # notebook -> minutes of its job, once it has ended

    def look(self, now: float) -> None:
        """Notice jobs that have started or ended."""
        self.there |= made(self.jobs)
        for job in self.jobs:
            if job.out in self.there and job.out in self.started:
                self.took.setdefault(job.out, (now - self.started[job.out]) / 60)
            elif job.out not in self.there and is_running(PROJECT / job.out):
                self.started.setdefault(job.out, now)
            elif job.out not in self.there:
                self.started.pop(job.out, None)  # it failed

    def line(self, now: float) -> str:
        """'37 of 102 jobs done, 2 running (a, b), about 161 minutes left'."""
        left = [job for job in self.jobs if job.out not in self.there]
        names = [job.name for job in left if job.out in self.started]
        said = [f"{len(self.jobs) - len(left)} of {len(self.jobs)} jobs done"]
        if names:
            said.append(f"{len(names)} running ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})")
        if left:
            said.append(f"about {duration(self._minutes(left, now))} left")
        return ", ".join(said)

    def _minutes(self, left: list[Job], now: float) -> float:
        """The estimates of the jobs `left`, shared among the cores, times how much longer than estimated the finished ones took."""
        estimated = sum(job.minutes for job in self.jobs if job.out in self.took)
        slowness = sum(self.took.values()) / estimated if estimated else 1.0
        alone = [max(0.0, job.minutes * slowness - (now - self.started.get(job.out, now)) / 60) for job in left]
        return max([sum(alone) / self.cores, *alone])


def plan_of(given: dict[str, Any]) -> Plan:
    """The plan that Snakemake's --config describes."""
    values: dict[str, Any] = {name: given[name] for name in ("scale", "dataset", "results") if name in given}
    if "seeds" in given:
        values["seeds"] = tuple(int(seed) for seed in str(given["seeds"]).split(","))
    return Plan(**values)


def listing(found: Iterable[Job], cores: int) -> str:
    """The jobs with their estimated minutes, and how long all take."""
    minutes = {job.name: job.minutes for job in found}
    hours = sum(minutes.values()) / 60
    lines = [f"{value:7.1f} min  {name}" for name, value in minutes.items()]
    return "\n".join([*lines, f"{len(lines)} jobs, by estimate {hours:.1f} hours of one core, {hours / cores:.1f} on {cores}."])


def run(plan: Plan, cores: int) -> int:
    """Make all that is left; Snakemake's exit status. Raises KeyboardInterrupt after everything has stopped."""
    log = PROJECT / plan.results / "notebooks" / plan.scale / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    (PROJECT / plan.results / "retrain").mkdir(exist_ok=True)  # Tables 2, 3 and 6 read it, also where nothing was trained
    progress = Progress(jobs(plan), cores)
    chosen = asdict(plan) | {"seeds": ",".join(map(str, plan.seeds))}
    command = [sys.executable, "-m", "snakemake", "laptop", "-s", str(SNAKEFILE), "--cores", str(cores)]
    command += ["--scheduler", "greedy"]  # it takes the job of the highest priority; the default one weighs what else it frees
    command += ["--config", *(f"{name}={value}" for name, value in chosen.items())]
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=file, start_new_session=True)
        try:
            _follow(process, progress)
        finally:
            if process.poll() is None:
                _stop(process)
    if process.returncode:
        print(f"Some jobs failed; {log} says why. The same command continues.", file=sys.stderr)
    return process.returncode


def _stop(process: subprocess.Popen) -> None:
    """End Snakemake and its jobs as Ctrl-C does, or kill them at a second Ctrl-C. Searches keep their last epoch either way."""
    print("\nStopping the jobs; Ctrl-C again kills them.", flush=True)
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(process: subprocess.Popen, progress: Progress) -> None:
    """Print the line of progress: written over in a terminal; to a file, a new one after each job that has ended."""
    live, said, ended = sys.stdout.isatty(), None, False
    while not ended:
        ended = process.poll() is not None
        progress.look(now := time.time())
        if live:
            print(f"\r\033[K{progress.line(now)}", end="\n" if ended else "", flush=True)
        elif len(progress.there) != said:
            said = len(progress.there)
            print(progress.line(now), flush=True)
        if not ended:
            time.sleep(PAUSE_S)


def made(found: list[Job]) -> set[str]:
    """The notebooks that are there and not older than those that they read, which are there too."""
    there: set[str] = set()
    for job in found:  # in their order: what a job reads stands before it
        if set(job.after) <= there and _changed(PROJECT / job.out) >= max((_changed(PROJECT / out) for out in job.after), default=1):
            there.add(job.out)
    return there


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="make laptop", description="The paper at the laptop scale; ARGS='...' takes these options.")
    parser.add_argument("-n", "--dry-run", action="store_true", help="list the jobs that are left, with estimated minutes")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="jobs at a time (default: the cores, %(default)s)")
    parser.add_argument("--scale", choices=SCALES[1:], default=usual.scale, help="default: %(default)s")
    parser.add_argument("--dataset", default=usual.dataset, help="images that are searched on (default: %(default)s)")
    parser.add_argument("--seeds", default=",".join(map(str, usual.seeds)), help="default: %(default)s")
    parser.add_argument("--results", default=usual.results, help="folder of results (default: %(default)s)")
    options = parser.parse_args(arguments)
    plan = plan_of(vars(options))
    if options.dry_run:
        there = made(found := jobs(plan))
        print(listing((job for job in found if job.out not in there), options.cores))
        return 0
    # A shell starts what it puts in the background with SIGINT ignored, and Snakemake, which is stopped by it, would inherit that.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if name == signal.SIGINT or signal.getsignal(name) != signal.SIG_IGN:  # nohup ignores the last
            signal.signal(name, signal.default_int_handler)
    try:
        return run(plan, options.cores)
    except KeyboardInterrupt:
        print("Stopped. The same command continues.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
