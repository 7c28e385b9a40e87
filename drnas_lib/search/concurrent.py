"""Many runs, as many at once as the device carries: each replays its own graph on its own stream, and they take turns in launching.

A small network leaves most of a GPU idle; several fill it. How many is measured: one starts alone, and their number doubles while the
memory holds as many again and the steps of all per second have grown. What a run computes does not depend on the others. A CPU is full
with one, so there they run one after another.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import torch

from drnas_lib.config.search import SearchSettings
from drnas_lib.runs.device import choose, reproducible
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.runs.threads import computing
from drnas_lib.search.loop import Launched, SharedDevice
from drnas_lib.search.run import Progress, launches

WORTH = 1.1  # steps per second of twice as many searches, over those of before, that make the next doubling worth trying
MARGIN = 1.2  # free memory over what as many again would take
OnStep = Callable[[SearchSettings, int, int], None]


def run_concurrently(
    many: Iterable[SearchSettings], rerun: bool = False, at_once: int | None = None, on_step: OnStep | None = None
) -> Generator[tuple[SearchSettings, Progress], None, None]:
    """Run all settings, each as search.run.run does alone: own folder, lock, checkpoints and numbers. Yields whose epoch ended, and it.

    `at_once` fixes how many run at a time; None measures it on a GPU and is 1 on a CPU. Runs with other devices or precisions follow
    one another. Where a run fails the others go on to their end, and then its error is raised; several come as an ExceptionGroup.
    """
    failed: list[Exception] = []
    for (name, precision), group in groupby(sorted(many, key=_kind), key=_kind):
        device = choose(name)
        # Around all, since each run puts back what it found.
        with reproducible(device, PRECISIONS[precision]), computing(torch.get_num_threads()):
            yield from _turns(deque(group), rerun, _limit(device, at_once), on_step, failed)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup(f"{len(failed)} runs failed, the others are done", failed)


def _kind(settings: SearchSettings) -> tuple[str, str]:
    return settings.device, settings.precision


@dataclass
class _Run:
    settings: SearchSettings
    progress: Generator[Launched | Progress, None, None]
    epochs: int = 0  # launched to their end


def _turns(
    waiting: deque[SearchSettings], rerun: bool, limit: "Fixed | Measured", on_step: OnStep | None, failed: list[Exception]
) -> Iterator[tuple[SearchSettings, Progress]]:
    """Let the runs launch a step each, in turn, and start waiting ones while `limit` allows."""
    shared, running = SharedDevice(), []
    try:
        while waiting or running:
            while waiting and len(running) < limit.allowed:
                settings = waiting.popleft()
                running.append(_Run(settings, launches(settings, rerun, shared)))
            for run in list(running):
                shared.searches = len(running)
                try:
                    progress = next(run.progress, None)
                except Exception as error:
                    failed.append(error)
                    progress = None
                if progress is None:
                    running.remove(run)
                elif isinstance(progress, Launched):
                    run.epochs += progress.done == progress.of
                    limit.launched([run.epochs for run in running])
                    if on_step is not None:
                        on_step(run.settings, progress.done, progress.of)
                else:
                    yield run.settings, progress
    finally:
        for run in running:
            run.progress.close()


@dataclass
class Fixed:
    """`allowed` runs at a time."""

    allowed: int

    def launched(self, epochs: list[int]) -> None:
        pass


@dataclass
class Measured:
    """Doubles `allowed` while it pays. `memory()` gives the bytes that the runs hold and those still free."""

    memory: Callable[[], tuple[int, int]]
    clock: Callable[[], float] = time.perf_counter
    allowed: int = 1
    rate: float = 0.0  # steps per second of all, before the last doubling
    settled: bool = False
    _steps: int = 0
    _began: float | None = None
    _from: list[int] = field(default_factory=list)

    def launched(self, epochs: list[int]) -> None:
        """A step of one of the runs, which launched so many epochs each. Judged is an epoch of each after its first, which captures."""
        if self.settled or len(epochs) < self.allowed or min(epochs) == 0:
            self._from = []  # a round is counted whole or not at all
            return
        if len(epochs) != len(self._from):
            self._began, self._steps, self._from = self.clock(), 0, list(epochs)
            return
        self._steps += 1
        if all(now > then for now, then in zip(epochs, self._from)):
            self._judge(self._steps / (self.clock() - self._began))

    def _judge(self, rate: float) -> None:
        used, free = self.memory()
        self.settled = rate < WORTH * self.rate or free < MARGIN * used
        self.rate = rate
        if not self.settled:
            self.allowed *= 2


def _limit(device: torch.device, at_once: int | None) -> Fixed | Measured:
    if at_once is not None or device.type == "cpu":
        return Fixed(at_once or 1)
    return Measured(lambda: (torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[0]))
