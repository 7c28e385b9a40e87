"""Several runs at once on one device: each replays its own graph on its own stream, and they launch steps in turn.

One small network does not fill a GPU; several do. Their number is measured: it starts with one run and doubles while the memory has room
for as many again and the steps per second of all runs grow. The numbers of a run do not depend on the others. One run fills a CPU, so there
the runs follow one another.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import torch

from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.runs.device import choose, reproducible, using_threads
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.search.loop import Launched, SharedDevice
from drnas_lib.search.run import Progress, run_stepwise

LEAST_SPEEDUP = 1.1  # growth in steps per second that makes the next doubling worth a try
MEMORY_MARGIN = 1.2  # free memory over what as many runs again would take
OnStep = Callable[[SearchSettings, int, int], None]


def run_concurrently(
    many: Iterable[SearchSettings], rerun: bool = False, at_once: int | None = None, on_step: OnStep | None = None
) -> Generator[tuple[SearchSettings, Progress], None, None]:
    """Run all settings, each as search.run.run alone would: own folder, lock, checkpoints and numbers. Yields settings and ended epoch.

    `at_once` is the number of runs at a time; None measures it on a GPU and means 1 on a CPU. Runs with other devices or precisions follow
    one another. If a run fails, the others still end, and then its error is raised; several errors come as an ExceptionGroup.
    """
    failed: list[Exception] = []
    device_and_precision = lambda settings: (settings.device, settings.precision)
    for (name, precision), group in groupby(sorted(many, key=device_and_precision), key=device_and_precision):
        device = choose(name)
        fixed = at_once is not None or device.type == "cpu"
        memory = lambda device=device: (torch.cuda.memory_reserved(device), torch.cuda.mem_get_info(device)[0])
        limit = RunLimit(memory, allowed=at_once or 1, settled=fixed)
        # Around all runs, since each restores the settings that it found.
        with reproducible(device, PRECISIONS[precision]), using_threads(torch.get_num_threads()):
            yield from _turns(deque(group), rerun, limit, on_step, failed)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup(f"{len(failed)} runs failed, the others are done", failed)


@dataclass
class _Run:
    settings: SearchSettings
    progress: Generator[Launched | Progress, None, None]
    threads: int  # that PyTorch computes with for this run
    epochs: int = 0  # whose steps have all been launched


def _turns(
    waiting: deque[SearchSettings], rerun: bool, limit: "RunLimit", on_step: OnStep | None, failed: list[Exception]
) -> Iterator[tuple[SearchSettings, Progress]]:
    """Let each run launch a step in turn, and start waiting runs while `limit` allows."""
    shared = SharedDevice()
    running: list[_Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < limit.allowed:
                settings = waiting.popleft()
                running.append(_Run(settings, run_stepwise(settings, rerun, shared), torch.get_num_threads()))
            for run in list(running):
                shared.searches = len(running)
                try:
                    with using_threads(run.threads):  # each run sets its own number, and restores it when it ends
                        progress = next(run.progress, None)
                        run.threads = torch.get_num_threads()
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
class RunLimit:
    """How many runs are `allowed` at a time: doubled while that makes all runs faster and fits the memory, until it is `settled`."""

    memory: Callable[[], tuple[int, int]]  # bytes that the runs hold, and free bytes
    clock: Callable[[], float] = time.perf_counter
    allowed: int = 1
    settled: bool = False
    rate: float = 0.0  # steps per second of all runs, before the last doubling
    _steps: int = 0
    _began: float = 0.0
    _from: list[int] = field(default_factory=list)

    def launched(self, epochs: list[int]) -> None:
        """Count a step of one of the runs, of which each has launched so many epochs.

        The rate is taken over an epoch of each run after its first epoch, which captures the graph.
        """
        if self.settled or len(epochs) < self.allowed or min(epochs) == 0:
            self._from = []  # an epoch is counted as a whole or not at all
        elif len(epochs) != len(self._from):
            self._began, self._steps, self._from = self.clock(), 0, list(epochs)
        else:
            self._steps += 1
            if all(now > then for now, then in zip(epochs, self._from)):
                self._judge(self._steps / (self.clock() - self._began))

    def _judge(self, rate: float) -> None:
        used, free = self.memory()
        self.settled = rate < LEAST_SPEEDUP * self.rate or free < MEMORY_MARGIN * used
        self.rate = rate
        if not self.settled:
            self.allowed *= 2
