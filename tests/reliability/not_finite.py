"""A NaN among the images at some step of some epoch: the run stops, names the step, and keeps what it had."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drnas_lib.retrain import run as retrain_run
from drnas_lib.retrain.loop import RetrainError, Trainer
from drnas_lib.runs import checkpoint
from drnas_lib.runs.files import RunFolder
from drnas_lib.search import run as search_run
from drnas_lib.search.bilevel import SearchStep
from drnas_lib.search.loop import SearchError
from tests.reliability.counts import Count
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import retrain_settings, search_settings

EPOCHS = 3
STEPS = {"search": 4, "retrain": 3}  # of an epoch
RUNS: dict[str, tuple[Callable, Callable, type[Exception]]] = {
    "search": (lambda folder: search_settings(folder, epochs=[EPOCHS], snapshots=0), search_run.run, SearchError),
    "retrain": (lambda folder: retrain_settings(folder, epochs=EPOCHS), retrain_run.run, RetrainError),
}


def with_nan(batch: tuple) -> tuple:
    """The same batch with a NaN in one pixel."""
    x, y = batch
    x = x.clone()
    x[0, 0, 0, 0] = float("nan")
    return x, y


@contextmanager
def spoilt(name: str, number: int, of_eta: bool) -> Iterator[None]:
    """The `number`-th step of a run, counted from 1, sees a NaN in the batch of the weights, or in that of eta."""
    steps = itertools.count(1)

    def advance(self, train, valid, moves_eta):
        spoils = next(steps) == number
        batches = (train, with_nan(valid)) if spoils and of_eta else (with_nan(train), valid) if spoils else (train, valid)
        return whole(self, *batches, moves_eta)

    def step(self, x, y, meter):
        return whole(self, *(with_nan((x, y)) if next(steps) == number else (x, y)), meter)

    owner, method, spoiling = {"search": (SearchStep, "advance", advance), "retrain": (Trainer, "_step", step)}[name]
    whole = getattr(owner, method)
    setattr(owner, method, spoiling)
    try:
        yield
    finally:
        setattr(owner, method, whole)


def campaign(name: str, count: int, seed: int, folder: Path) -> Count:
    """`count` runs with a NaN at a random step."""
    draw, began, done = random.Random(seed), time.monotonic(), Count("NaN", name, seed)
    settings_of, run, _ = RUNS[name]
    list(run(settings_of(folder / "whole")))
    expected = left_behind(folder / "whole")
    for number in range(count):
        place, epoch, step = folder / f"run{number}", draw.randint(1, EPOCHS), draw.randint(1, STEPS[name])
        done.attempt(lambda: stops_and_goes_on(name, place, epoch, step, draw.random() < 0.5, expected))  # noqa: B023
    done.seconds = time.monotonic() - began
    return done


def stops_and_goes_on(name: str, folder: Path, epoch: int, step: int, of_eta: bool, expected: dict) -> str:
    """Raises AssertionError."""
    settings_of, run, told = RUNS[name]
    settings = settings_of(folder)
    with spoilt(name, (epoch - 1) * STEPS[name] + step, of_eta):
        said = message(told, lambda: list(run(settings)))
    assert f"epoch {epoch}, step {step} of {STEPS[name]}" in said, said
    found = checkpoint.list_checkpoints(RunFolder(settings.folder).path)
    assert [int(path.name[-5:]) for path in found] == [e for e in (epoch - 1, epoch - 2) if e > 0]
    list(run(settings))
    assert left_behind(folder) == expected
    return "exact"


def message(told: type[Exception], action: Callable) -> str:
    try:
        action()
    except told as error:
        return str(error)
    raise AssertionError("a NaN went through")
