"""A search or a training of a notebook, in this process or, if its parameters ask for several, in processes that torchrun starts."""

import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import yaml

from drnas_lib.distributed.jobs import JOBS, Config, Progress, ProgressLines, job_name
from drnas_lib.runs.records import PROJECT, RunFolder

LINES_KEPT = 200  # of the error streams of the processes


def start(config: Config, on_step: Callable[[int, int], None] | None = None) -> Iterator[Progress]:
    """The epochs as search.run.run or retrain.run.run yields them. Several processes do not call `on_step`.

    Raises the errors of these functions; for several processes SearchError or RetrainError with their error messages.
    """
    settings, name = config.settings(), job_name(config)
    if config.processes == 1 or RunFolder(settings.folder).done and not config.rerun:
        yield from JOBS[name].run(settings, config.rerun, on_step)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(yaml.safe_dump(config.model_dump(exclude_defaults=True)))
        yield from _several(name, config.processes, file)


def command(name: str, processes: int, file: Path) -> list[str]:
    """torchrun, with this Python."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*torchrun, "-m", "drnas_lib.distributed", name, "-f", str(file)]


def _several(name: str, processes: int, file: Path) -> Iterator[Progress]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))}
    torchrun = subprocess.Popen(
        command(name, processes, file), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert torchrun.stdout and torchrun.stderr  # pipes, by the arguments above
    errors: deque[str] = deque(maxlen=LINES_KEPT)
    reader = Thread(target=errors.extend, args=(torchrun.stderr,), daemon=True)
    reader.start()
    try:
        yield from map(ProgressLines().decode, torchrun.stdout)
        code = torchrun.wait()
    finally:
        torchrun.terminate()  # does nothing to a process that has ended
        torchrun.wait()
        reader.join()
        torchrun.stdout.close(), torchrun.stderr.close()
    if code:
        own = [line.strip() for line in errors if line.startswith("process ")]
        why = " ".join(own) or "".join(errors)[-2000:]
        raise JOBS[name].error(f"the {name} on {processes} processes ended with code {code}. {why}")
