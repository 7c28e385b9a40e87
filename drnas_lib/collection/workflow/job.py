"""A job of the Snakefile: papermill, on a GPU of its own, and with a notebook that takes its name when it has ended well.

    python -m drnas_lib.collection.workflow.job notebooks/search.ipynb OUT.ipynb -p seed 1

Until then it is running/OUT.ipynb, where it stays to be read if it fails: OUT.ipynb is never half a notebook, whatever was killed.
Two jobs that make the same notebook run one after the other, and two that compute never share a GPU of this machine.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import papermill
import yaml
from click.exceptions import Abort
from filelock import FileLock, Timeout
from papermill.__main__ import papermill as command

PATIENCE_S = 1.0  # between two looks for a free GPU
OF_A_SCHEDULER = "SLURM_JOB_ID"  # it has shared out the GPUs already
USUAL = ("-k", "python3", "--no-progress-bar")  # the environment's own kernel


def main(arguments: list[str]) -> None:
    """`arguments` as papermill takes them: NOTEBOOK OUT -f FILE -p NAME VALUE. Raises SystemExit with what was in the way."""
    notebook, out, options = arguments[0], Path(arguments[1]), arguments[2:]
    running = out.parent / "running" / out.name
    running.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        waited = held.enter_context(alone(running.with_suffix(".lock")))
        if waited and out.exists():
            return print(f"{out} was made meanwhile.", flush=True)
        gpus = held.enter_context(claimed(gpus_wanted(notebook, parameters(options))))
        if gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
        try:
            command.main([notebook, str(running), *USUAL, *options], standalone_mode=False)
        except papermill.PapermillExecutionError as error:
            sys.exit(f"{notebook}: {error.ename}: {error.evalue}\nMore of it is in {running}.")
        except (Abort, KeyboardInterrupt):
            sys.exit(f"{notebook} was stopped. The same command goes on.")
        os.replace(running, out)


def parameters(options: list[str]) -> dict:
    """What -f FILE and -p NAME VALUE among `options` say; a later one wins."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", action="append", default=[])
    parser.add_argument("-p", action="append", default=[], nargs=2)
    given, _ = parser.parse_known_args(options)
    values: dict = {}
    for file in given.f:
        values |= yaml.safe_load(Path(file).read_text()) or {}
    return values | {name: yaml.safe_load(value) for name, value in given.p}


def gpus_wanted(notebook: str, values: dict) -> int:
    """One for each process of a notebook that computes, which is one with the parameter `device`."""
    if "device" not in papermill.inspect_notebook(notebook) or values.get("device") == "cpu":
        return 0
    return values.get("processes", 1)


def gpus_here() -> list[str]:
    """Those that CUDA_VISIBLE_DEVICES allows, or all of this machine."""
    if (allowed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu.strip() for gpu in allowed.split(",") if gpu.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    answer = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    return answer.stdout.split() if answer.returncode == 0 else []


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold a lock, which the system lets go of however the process ends; whether another process had to be waited for."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
        waited = False
    except Timeout:
        print(f"Waiting for another process that makes {path.stem}.", flush=True)
        lock.acquire()
        waited = True
    try:
        yield waited
    finally:
        lock.release()


@contextmanager
def claimed(wanted: int) -> Iterator[list[str]]:
    """That many GPUs of this machine, which no other job of this user has, as soon as they are free; none where there is none to claim."""
    there = [] if OF_A_SCHEDULER in os.environ else gpus_here()
    wanted = min(wanted, len(there))  # a notebook that wants more says so itself
    with ExitStack() as held:
        said = False
        while len(mine := _free(there, wanted, held)) < wanted:
            if not said:
                print(f"Waiting for {wanted} of the GPUs {', '.join(there)}.", flush=True)
                said = True
            time.sleep(PATIENCE_S)
        yield mine


def _free(gpus: list[str], wanted: int, held: ExitStack) -> list[str]:
    """All wanted or none, so that two jobs do not wait for each other's."""
    mine: list[str] = []
    with ExitStack() as taken:
        for gpu in gpus:
            if len(mine) == wanted:
                break
            lock = FileLock(Path(tempfile.gettempdir()) / f"drnas-{os.getuid()}-gpu-{gpu}.lock")
            try:
                taken.enter_context(lock.acquire(timeout=0))
            except Timeout:
                continue
            mine.append(gpu)
        if len(mine) < wanted:
            return []
        held.push(taken.pop_all())
    return mine


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the kernel ends too
    main(sys.argv[1:])
