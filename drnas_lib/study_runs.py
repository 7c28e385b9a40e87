"""The searches that a study stands on: those that are missing are made, finished ones are left alone."""

import time

from drnas_lib.config import SearchSettings
from drnas_lib.experiment import Epoch, run
from drnas_lib.records import RunFolder


def ensure(searches: list[SearchSettings], given: list[str] | str | None = None) -> list[str]:
    """The folders of the runs `given` or, where there are none, of `searches`, each made if it is missing, with a line of progress.

    An interrupted search continues from its last epoch. Raises what experiment.run raises.
    """
    if given:
        return [given] if isinstance(given, str) else list(given)
    for settings in searches:
        began, epochs = time.perf_counter(), 0
        if RunFolder(settings.folder).done:
            print(f"{settings.stem}, seed {settings.seed}: there already")
        for progress in run(settings):
            if isinstance(progress, Epoch):
                epochs += 1
        if epochs:
            print(f"{settings.stem}, seed {settings.seed}: {epochs} epochs in {time.perf_counter() - began:.0f} s")
    return [settings.folder for settings in searches]
