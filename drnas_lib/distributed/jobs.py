"""What can run on several processes: a search and a training. How their parameters are read, and how progress travels as lines of JSON."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

from drnas_lib.config.parameters import Parameters
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.retrain import run as retrain_run
from drnas_lib.retrain.loop import RetrainError
from drnas_lib.retrain.run import Progress
from drnas_lib.search import run as search_run
from drnas_lib.search.loop import Epoch, SearchError
from drnas_lib.search.run import Training


class SearchJob:
    """A line is an epoch of the search, or of a cell that is trained after it, with the rows of its history not told yet."""

    config: type[Parameters] = SearchConfig
    error: type[Exception] = SearchError
    run: Callable[..., Iterator[search_run.Progress]] = staticmethod(search_run.run)  # (settings, rerun, on_step, process_group)
    kinds = {"search": Epoch, "training": Training}

    def __init__(self):
        self.histories: defaultdict[tuple, list[dict]] = defaultdict(list)  # of each cell and seed, and of the search, which has neither

    def said(self, progress: search_run.Progress) -> list[dict]:
        """The lines that tell of it."""
        kind = next(name for name, kind in self.kinds.items() if isinstance(progress, kind))
        told = self.histories[getattr(progress, "cell", None), getattr(progress, "seed", None)]
        new = progress.history[len(told) :]
        told += new
        return [{"kind": kind, **asdict(replace(progress, history=new))}]

    def heard(self, line: dict) -> search_run.Progress:
        """What a line tells of."""
        history = self.histories[line.get("cell"), line.get("seed")]
        history += line["history"]
        return self.kinds[line.pop("kind")](**line | {"history": history})


class RetrainJob:
    """A line is an epoch; of a continued training the first lines are those of before, so that the whole history is told."""

    config: type[Parameters] = RetrainConfig
    error: type[Exception] = RetrainError
    run: Callable[..., Iterator[Progress]] = staticmethod(retrain_run.run)

    def __init__(self):
        self.history: list[dict] = []

    def said(self, progress: Progress) -> list[dict]:
        new = progress.history[len(self.history) :]
        self.history += new
        return [{"row": row, "epochs": progress.epochs} for row in new]

    def heard(self, line: dict) -> Progress:
        self.history.append(line["row"])
        return Progress(line["row"], self.history, line["epochs"])


Job = SearchJob | RetrainJob
JOBS: dict[str, type[Job]] = {"search": SearchJob, "retrain": RetrainJob}  # by the name of their notebook


def name_of(config: Parameters) -> str:
    """The job that a notebook's parameters are for."""
    return next(name for name, job in JOBS.items() if isinstance(config, job.config))
