"""Run what a comparison still lacks, in one live display. What cannot run says why; the others go on."""

from contextlib import closing
from itertools import groupby

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import LABELS, TableSearchSettings
from drnas_lib.benchmark.table import BenchmarkError, MissingBenchmark
from drnas_lib.collection.studies.comparison import PlannedSearch
from drnas_lib.collection.views.live import Live
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.retrain.loop import RetrainError
from drnas_lib.runs.records import RunFolder, RunLocked
from drnas_lib.search.concurrent import run_concurrently
from drnas_lib.search.loop import SearchError

SAID = (MissingData, DamagedData, SearchError, RetrainError, RunLocked)  # of a data set or a search; all else stops everything
Reasons = dict[tuple[str, str], str]


def run_missing(wanted: list[PlannedSearch], rerun: bool = False, at_once: int | None = 1) -> Reasons:
    """Search what is not done, data set by data set; (label, data set) -> why there is nothing, for those that could not be.

    `at_once` searches share a GPU (None: as many as it carries); with more than one, their seconds and memory are not their own. An
    interrupted run continues when the same is asked again.
    """
    reasons: Reasons = {}
    if not wanted:
        return reasons
    live, titles = Live(wanted[0].settings.space), {}
    for number, search in enumerate(wanted, start=1):
        settings = search.settings
        titles[settings.folder] = f"search {number} of {len(wanted)}: {search.label}, {settings.dataset}, seed {settings.seed}"
    for dataset, of_set in groupby(wanted, key=lambda search: search.settings.dataset):
        searches = list(of_set)
        if why := _run([search.settings for search in searches], rerun, at_once, live, titles):
            left = [search for search in searches if not RunFolder(search.settings.folder).done]
            reasons |= {(search.label, dataset): why for search in left}
    live.finish()
    return reasons


def _run(many, rerun: bool, at_once: int | None, live: Live, titles: dict[str, str]) -> str:
    """What was in the way, or nothing."""

    def on_step(settings, done: int, of: int) -> None:
        live.begin(titles[settings.folder])
        live.tick(done, of)

    try:
        with closing(run_concurrently(many, rerun, at_once, on_step)) as running, live.stoppable():
            for settings, progress in running:
                live.begin(titles[settings.folder])
                live.show(progress)
    except (*SAID, ExceptionGroup) as error:
        errors = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        if not all(isinstance(one, SAID) for one in errors):
            raise
        return "; ".join(dict.fromkeys(map(str, errors)))
    return ""


def look_up_missing(lookups: list[TableSearchSettings], rerun: bool = False) -> Reasons:
    """The same for searches on the benchmark's table."""
    reasons = {}
    for settings in lookups:
        try:
            policies.run(settings, rerun)
        except (MissingBenchmark, BenchmarkError, RunLocked) as error:
            reasons[LABELS[settings.method], settings.dataset] = str(error)
    return reasons
