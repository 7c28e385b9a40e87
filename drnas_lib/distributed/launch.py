"""A search or a training of a notebook, in this process or in several that torchrun starts; these print their progress as lines of JSON."""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Thread

import yaml

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.retrain import run as retrain_run
from drnas_lib.retrain.loop import RetrainError
from drnas_lib.runs.files import PROJECT, RunFolder
from drnas_lib.search import run as search_run
from drnas_lib.search.evaluation import TrainingEpoch
from drnas_lib.search.loop import Epoch, SearchError

LINES_KEPT = 200  # of what the processes print besides their progress
START = '{"kind": '  # of a line of progress
Config = SearchConfig | RetrainConfig
Progress = search_run.Progress | retrain_run.Progress


@dataclass(frozen=True)
class Job:
    """The parameters of a notebook, the function that runs them, and the error of a run that cannot continue."""

    config: type[SearchConfig] | type[RetrainConfig]
    run: Callable[..., Iterator[Progress]]  # (settings, rerun, on_step, process_group)
    error: type[SearchError] | type[RetrainError]


JOBS = {  # by the name of the notebook
    "search": Job(SearchConfig, search_run.run, SearchError),
    "retrain": Job(RetrainConfig, retrain_run.run, RetrainError),
}
KINDS: dict[str, type[Progress]] = {"search": Epoch, "training": TrainingEpoch, "retrain": retrain_run.Progress}  # of a line


def job_name(config: Config) -> str:
    """The job that the parameters of a notebook are for."""
    return next(name for name, job in JOBS.items() if isinstance(config, job.config))


class ProgressLines:
    """Writes the progress of one run as lines of JSON, or reads it back. A line has only the rows of its history that are new."""

    def __init__(self) -> None:
        self.histories: defaultdict[tuple, list[dict]] = defaultdict(list)  # by cell and seed of a training after a search; (None, None)

    def encode(self, progress: Progress) -> str:
        """The line of an epoch that has ended."""
        kind = next(name for name, kind in KINDS.items() if isinstance(progress, kind))
        sent = self.histories[getattr(progress, "cell", None), getattr(progress, "seed", None)]
        new = progress.history[len(sent) :]
        sent += new
        return json.dumps({"kind": kind, **asdict(replace(progress, history=new))})

    def decode(self, line: str) -> Progress:
        """The progress of a line, with its whole history."""
        content = json.loads(line)
        history = self.histories[content.get("cell"), content.get("seed")]
        history += content["history"]
        return KINDS[content.pop("kind")](**content | {"history": history})


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
        lines = ProgressLines()
        for line in torchrun.stdout:
            if line.startswith(START):
                yield lines.decode(line)
            else:  # of a library, such as NCCL
                errors.append(line)
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
