"""A training from a notebook, on as many processes as its parameters ask for: in this one, or in several that torchrun starts."""

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

from drnas_lib.records import PROJECT, RunFolder
from drnas_lib.retrain import RetrainError
from drnas_lib.retrain_config import RetrainConfig
from drnas_lib.retrain_run import Progress, run

LINES_KEPT = 200  # of what the processes say on their error streams


def start(config: RetrainConfig, on_step: Callable[[int, int], None] | None = None) -> Iterator[Progress]:
    """The epochs as retrain_run.run yields them. Of several processes, `on_step` hears nothing.

    Raises what that does, or RetrainError with what the processes said.
    """
    settings = config.settings()
    if config.processes == 1 or RunFolder(settings.folder).done and not config.rerun:
        yield from run(settings, config.rerun, on_step)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(yaml.safe_dump(config.model_dump(exclude_defaults=True)))
        yield from _several(config, file)


def command(processes: int, file: Path) -> list[str]:
    """What torchrun stands for, by this Python."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*torchrun, "-m", "drnas_lib.distributed", "-f", str(file)]


def _several(config: RetrainConfig, file: Path) -> Iterator[Progress]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))}
    process = subprocess.Popen(
        command(config.processes, file), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    said: deque[str] = deque(maxlen=LINES_KEPT)
    listener = Thread(target=said.extend, args=(process.stderr,), daemon=True)
    listener.start()
    history: list[dict] = []
    epochs = config.settings().recipe.epochs
    try:
        for line in process.stdout:
            history.append(json.loads(line))
            yield Progress(history[-1], history, epochs)
        code = process.wait()
    finally:
        process.terminate()  # of a process that has ended, nothing
        process.wait()
        listener.join()
        process.stdout.close(), process.stderr.close()
    if code:
        own = [line.strip() for line in said if line.startswith("process ")]
        raise RetrainError(f"the training on {config.processes} processes ended with code {code}. {' '.join(own) or ''.join(said)[-2000:]}")
