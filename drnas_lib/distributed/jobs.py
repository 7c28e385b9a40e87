"""The jobs that can run on several processes, a search and a training, and their progress as lines of JSON."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.retrain import run as retrain_run
from drnas_lib.retrain.loop import RetrainError
from drnas_lib.search import run as search_run
from drnas_lib.search.evaluation import Training
from drnas_lib.search.loop import Epoch, SearchError

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
KINDS: dict[str, type[Progress]] = {"search": Epoch, "training": Training, "retrain": retrain_run.Progress}  # of a line


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
