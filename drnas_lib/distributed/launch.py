"""A search or a training from a notebook, on as many processes as its parameters ask for: in this one, or in several by torchrun."""

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import yaml

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.distributed.jobs import JOBS, name_of
from drnas_lib.retrain import run as retrain_run
from drnas_lib.runs.records import PROJECT, RunFolder
from drnas_lib.search import run as search_run

LINES_KEPT = 200  # of what the processes say on their error streams
Config = SearchConfig | RetrainConfig
Progress = search_run.Progress | retrain_run.Progress


def start(config: Config, on_step: Callable[[int, int], None] | None = None) -> Iterator[Progress]:
    """The epochs as search_run.run or retrain_run.run yields them. Of several processes, `on_step` hears nothing.

    Raises what these do, or SearchError or RetrainError with what the processes said.
    """
    settings, name = config.settings(), name_of(config)
    if config.processes == 1 or RunFolder(settings.folder).done and not config.rerun:
        yield from JOBS[name].run(settings, config.rerun, on_step)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(yaml.safe_dump(config.model_dump(exclude_defaults=True)))
        yield from _several(config, name, file)


def command(name: str, processes: int, file: Path) -> list[str]:
    """What torchrun stands for, by this Python."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*torchrun, "-m", "drnas_lib.distributed", name, "-f", str(file)]


def _several(config: Config, name: str, file: Path) -> Iterator[Progress]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))}
    process = subprocess.Popen(
        command(name, config.processes, file), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    said: deque[str] = deque(maxlen=LINES_KEPT)
    listener = Thread(target=said.extend, args=(process.stderr,), daemon=True)
    listener.start()
    job = JOBS[name]()
    try:
        for line in process.stdout:
            yield job.heard(json.loads(line))
        code = process.wait()
    finally:
        process.terminate()  # of a process that has ended, nothing
        process.wait()
        listener.join()
        process.stdout.close(), process.stderr.close()
    if code:
        own = [line.strip() for line in said if line.startswith("process ")]
        raise job.error(f"the {name} on {config.processes} processes ended with code {code}. {' '.join(own) or ''.join(said)[-2000:]}")
