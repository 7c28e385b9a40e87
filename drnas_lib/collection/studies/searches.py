"""Make the searches that a study or a comparison still lacks, in one live display; finished ones are left alone."""

from contextlib import closing
from itertools import groupby

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import LABELS, TableSearchSettings
from drnas_lib.collection.studies.comparison import PlannedSearch, Reasons
from drnas_lib.collection.views.live import Live
from drnas_lib.config.search import SearchSettings
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.retrain.loop import RetrainError
from drnas_lib.runs import integrity
from drnas_lib.runs.files import NAME_ONE, RecordError, RunFolder, RunLocked
from drnas_lib.search.concurrent import run_concurrently
from drnas_lib.search.loop import SearchError
from drnas_lib.search.run import run

EXPECTED = (MissingData, DamagedData, SearchError, RetrainError, RunLocked)  # errors that stop a data set and not a whole comparison


def ensure(searches: list[SearchSettings], given: list[str] | str | None = None) -> list[str]:
    """The folders of the runs `given` or, where there are none, of `searches`, each made if it is missing.

    Raises RecordError where a given folder holds no finished search, and the errors of search.run.run.
    """
    folders = [given] if isinstance(given, str) else given or []
    for folder in map(RunFolder, folders):
        folder.must_be_done("search")
        if "stages" not in integrity.record(folder):
            raise RecordError(f"{folder.path} holds a training, and a study needs a search. {NAME_ONE}.")
    if folders:
        return folders
    live = Live(searches[0].space)
    for number, settings in enumerate(searches, start=1):
        live.begin(f"search {number} of {len(searches)}: {settings.stem}, seed {settings.seed}")
        live.follow(run(settings, on_step=live.tick))
    return [settings.folder for settings in searches]


def run_missing(wanted: list[PlannedSearch], rerun: bool = False, at_once: int | None = 1) -> Reasons:
    """Make the missing searches of a comparison, data set by data set, and give the reasons for those that could not be made.

    `at_once` searches share a GPU (None: as many as it carries); with more than one, time and memory are not those of a search alone. An
    interrupted run continues when the same is called again.
    """
    reasons: Reasons = {}
    if not wanted:
        return reasons
    live, titles = Live(wanted[0].settings.space), {}
    for number, search in enumerate(wanted, start=1):
        settings = search.settings
        titles[settings.folder] = f"search {number} of {len(wanted)}: {search.label}, {settings.dataset}, seed {settings.seed}"

    def on_step(settings: SearchSettings, done: int, of: int) -> None:
        live.begin(titles[settings.folder])
        live.tick(done, of)

    for dataset, of_dataset in groupby(wanted, key=lambda search: search.settings.dataset):
        searches = list(of_dataset)
        try:
            with closing(run_concurrently([search.settings for search in searches], rerun, at_once, on_step)) as running, live.stoppable():
                for settings, progress in running:
                    live.begin(titles[settings.folder])
                    live.show(progress)
        except* EXPECTED as errors:
            why = "; ".join(dict.fromkeys(map(str, errors.exceptions)))
            reasons |= {(search.label, dataset): why for search in searches if not RunFolder(search.settings.folder).done}
    live.finish()
    return reasons


def look_up_missing(lookups: list[TableSearchSettings], rerun: bool = False) -> Reasons:
    """Make the missing searches on the benchmark's table, and give the reasons for those that could not be made."""
    reasons: Reasons = {}
    for settings in lookups:
        try:
            policies.run(settings, rerun)
        except (MissingData, DamagedData, RunLocked) as error:
            reasons[LABELS[settings.method], settings.dataset] = str(error)
    return reasons
