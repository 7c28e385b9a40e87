"""Run what a comparison still lacks, one search after another, in one live display. What cannot run says why; the others go on."""

from drnas_lib import table_search
from drnas_lib.benchmark import BenchmarkError, MissingBenchmark
from drnas_lib.comparison import Wanted
from drnas_lib.data.errors import DamagedData, MissingData
from drnas_lib.experiment import run
from drnas_lib.live import Live
from drnas_lib.records import RunFolder, RunLocked
from drnas_lib.retrain import RetrainError
from drnas_lib.search import SearchError
from drnas_lib.table_search import LABELS, TableSearchSettings

OF_THE_DATA = (MissingData, DamagedData)  # every search on that data set would say the same
OF_ONE_SEARCH = (SearchError, RetrainError, RunLocked)


def run_missing(wanted: list[Wanted], rerun: bool = False) -> dict[tuple[str, str], str]:
    """Search what is not done; (label, data set) -> why there is nothing, for those that could not be.

    An interrupted run continues when the same is asked again. Errors of the machine, such as a full disk, stop everything.
    """
    reasons: dict[tuple[str, str], str] = {}
    absent: dict[str, str] = {}
    live = Live(wanted[0].settings.space) if wanted else None
    for number, search in enumerate(wanted, start=1):
        settings = search.settings
        if settings.dataset in absent and not RunFolder(settings.folder).done:
            reasons[search.label, settings.dataset] = absent[settings.dataset]
            continue
        live.begin(f"search {number} of {len(wanted)}: {search.label}, {settings.dataset}, seed {settings.seed}")
        try:
            for progress in run(settings, rerun=rerun, on_step=live.tick):
                live.show(progress)
        except OF_THE_DATA as error:
            absent[settings.dataset] = reasons[search.label, settings.dataset] = str(error)
        except OF_ONE_SEARCH as error:
            reasons[search.label, settings.dataset] = str(error)
    if live:
        live.finish()
    return reasons


def look_up_missing(lookups: list[TableSearchSettings], rerun: bool = False) -> dict[tuple[str, str], str]:
    """The same for searches on the benchmark's table."""
    reasons = {}
    for settings in lookups:
        try:
            table_search.run(settings, rerun)
        except (MissingBenchmark, BenchmarkError, RunLocked) as error:
            reasons[LABELS[settings.method], settings.dataset] = str(error)
    return reasons
