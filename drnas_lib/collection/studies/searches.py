"""The searches that a study stands on: those that are missing are made, finished ones are left alone."""

from drnas_lib.collection.views.live import Live
from drnas_lib.config.search import SearchSettings
from drnas_lib.runs import integrity
from drnas_lib.runs.records import NAME_ONE, RecordError, RunFolder
from drnas_lib.search.run import run


def ensure(searches: list[SearchSettings], given: list[str] | str | None = None) -> list[str]:
    """The folders of the runs `given` or, where there are none, of `searches`, each made if it is missing, in one live display.

    An interrupted search continues from its last epoch. Raises RecordError where a given folder holds no finished search, and what
    experiment.run raises.
    """
    if given:
        return [_finished(path) for path in ([given] if isinstance(given, str) else given)]
    live = Live(searches[0].space)
    for number, settings in enumerate(searches, start=1):
        live.begin(f"search {number} of {len(searches)}: {settings.stem}, seed {settings.seed}")
        live.follow(run(settings, on_step=live.tick))
    return [settings.folder for settings in searches]


def _finished(path: str) -> str:
    folder = RunFolder(path)
    folder.must_be_done("search")
    if "stages" not in integrity.record(folder):
        raise RecordError(f"{folder.path} holds a training, and a study needs a search. {NAME_ONE}.")
    return path
