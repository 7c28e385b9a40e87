"""One papermill job of Snakemake, on a GPU of its own; the executed notebook gets its final name only if no cell failed.

    python -m drnas_lib.collection.workflow.job notebooks/search.ipynb OUT.ipynb -p seed 1

The notebook is running/OUT.ipynb until it has ended well, and stays there if it fails: OUT.ipynb is never half a notebook, whatever was
killed. Two jobs that make the same notebook run one after the other, and two that compute never share a GPU of this machine.
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
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import papermill
import yaml
from click.exceptions import Abort
from filelock import FileLock, Timeout
from papermill.__main__ import papermill as command

from drnas_lib.collection.workflow.running import lock_of, unfinished

NO_GPU = "-1"
PATIENCE_S = 1.0  # between two looks for a free GPU
PROBED_S = 0.5  # much longer than `is_running` holds the lock of a notebook to see whether it is free
SCHEDULER = "SLURM_JOB_ID"  # where it is set, Slurm has shared out the GPUs
USUAL = ("-k", "python3", "--no-progress-bar")  # the environment's own kernel


def main(arguments: list[str]) -> None:
    """`arguments` as papermill takes them: NOTEBOOK OUT -f FILE -p NAME VALUE. Raises SystemExit with the reason of a failure."""
    notebook, out, options = arguments[0], Path(arguments[1]), arguments[2:]
    running = unfinished(out)
    running.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        waited = held.enter_context(exclusive(out))
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
    """The parameters that papermill reads from -f FILE and -p NAME VALUE among `options`; -p wins over -f, a later one over an earlier."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", action="append", default=[])
    parser.add_argument("-p", action="append", default=[], nargs=2)
    given, _ = parser.parse_known_args(options)
    values: dict = {}
    for file in given.f:
        values |= yaml.safe_load(Path(file).read_text()) or {}
    return values | {name: yaml.safe_load(value) for name, value in given.p}


def gpus_wanted(notebook: str, values: dict) -> int:
    """One for each process of a notebook with the parameter `device`, since only those compute."""
    if "device" not in papermill.inspect_notebook(notebook) or values.get("device") == "cpu":
        return 0
    return values.get("processes", 1)


def gpus_here() -> list[str]:
    """The GPUs in CUDA_VISIBLE_DEVICES, or all of this machine. CUDA ignores an entry that is no GPU and all after it, and so does this."""
    if (allowed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return list(takewhile(lambda gpu: gpu not in ("", NO_GPU), map(str.strip, allowed.split(","))))
    if shutil.which("nvidia-smi") is None:
        return []
    answer = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    return answer.stdout.split() if answer.returncode == 0 else []


@contextmanager
def exclusive(out: Path) -> Iterator[bool]:
    """Hold the lock of the notebook `out`. Yields whether it had to wait for another process."""
    lock, waited = lock_of(out), False
    try:
        held = lock.acquire(timeout=PROBED_S)
    except Timeout:
        print(f"Waiting for another process that makes {out.stem}.", flush=True)
        held, waited = lock.acquire(), True
    with held:
        yield waited


@contextmanager
def claimed(wanted: int) -> Iterator[list[str]]:
    """Claim that many GPUs of this machine, waiting while other jobs of this user hold them; none where a scheduler shares them out."""
    there = [] if SCHEDULER in os.environ else gpus_here()
    wanted, said = min(wanted, len(there)), False  # a notebook that needs more fails with its own message
    while True:
        with ExitStack() as held:
            mine: list[str] = []
            for gpu in there:
                if len(mine) < wanted:
                    with suppress(Timeout):
                        held.enter_context(FileLock(Path(tempfile.gettempdir()) / f"drnas-{os.getuid()}-gpu-{gpu}.lock", timeout=0))
                        mine.append(gpu)
            if len(mine) == wanted:
                yield mine
                return
        # Those that were free are given back, so that two jobs do not wait for each other.
        if not said:
            print(f"Waiting for {wanted} of the GPUs {', '.join(there)}.", flush=True)
            said = True
        time.sleep(PATIENCE_S)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the kernel ends too
    main(sys.argv[1:])
