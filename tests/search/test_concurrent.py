"""drnas_lib.search.concurrent: a run beside others is the run alone; how many run at once follows memory and throughput."""

import csv

import pytest
import torch

from drnas_lib.runs import checkpoint
from drnas_lib.runs.files import RunFolder, RunLocked, read_json
from drnas_lib.search import run as search_run
from drnas_lib.search.concurrent import RunLimit, run_concurrently
from drnas_lib.search.loop import SearchError
from drnas_lib.search.run import run
from tests.conftest import SMALL, SMALL_STAGES
from tests.search.test_run import history, results

VARIANTS = [{}, {"seed": 1}, {"lam": 0.1}, {"base": SMALL_STAGES}]


def many(settings, name, variants=VARIANTS, **changes):
    return [settings(**{"base": SMALL} | v | changes | {"name": f"{name}{i}"}) for i, v in enumerate(variants)]


@pytest.mark.parametrize("at_once", [1, 3])
def test_each_run_is_the_one_it_gives_alone(settings, at_once):
    alone, together = many(settings, "alone"), many(settings, "together")
    for these in alone:
        list(run(these))
    seen = [(these.stem, progress.row["epoch"]) for these, progress in run_concurrently(together, at_once=at_once)]
    assert sorted(seen) == [(f"together{i}", e) for i, n in enumerate((2, 2, 2, 4)) for e in range(1, n + 1)]
    for one, other in zip(alone, together):
        assert results(one) == results(other)
        assert RunFolder(other.folder).done and not checkpoint.list_checkpoints(RunFolder(other.folder).path)


def test_they_take_turns_and_say_how_many_they_are(settings):
    steps = []
    these = many(settings, "turns", [{}, {"seed": 1}])
    list(run_concurrently(these, at_once=2, on_step=lambda who, done, of: steps.append((who.seed, done, of))))
    assert steps[:4] == [(0, 1, 4), (1, 1, 4), (0, 2, 4), (1, 2, 4)]
    with open(RunFolder(these[0].folder).file("history.csv")) as file:
        assert [row["searches_at_once"] for row in csv.DictReader(file)] == ["2", "2"]


def test_each_keeps_its_own_number_of_threads(settings, monkeypatch):
    """Also after the first of them has ended: the number changes the last digits."""
    monkeypatch.setattr(search_run, "threads_for", lambda device, batch_size, channels, pixels: 2 if channels == 16 else 3)
    short, long = settings(channels=16, epochs=[1], name="short"), settings(channels=8, epochs=[3], name="long")
    before = torch.get_num_threads()
    list(run_concurrently([short, long], at_once=2))
    assert [read_json(RunFolder(these.folder).file("record.json"))["threads"] for these in (short, long)] == [2, 3]
    assert torch.get_num_threads() == before


def test_the_most_searches_at_once_in_a_stage_are_recorded(settings):
    """One that ends a stage alone has not been alone in it, and the peak of the GPU is that of all."""
    short, long = settings(epochs=[1], name="short"), settings(epochs=[3], name="long")
    list(run_concurrently([short, long], at_once=2))
    with open(RunFolder(long.folder).file("history.csv")) as file:
        assert [row["searches_at_once"] for row in csv.DictReader(file)] == ["2", "2", "2"]


def test_interrupted_and_continued_ends_with_the_same_bits(settings):
    whole, parts = many(settings, "whole", [{}, {"seed": 1}], epochs=[3]), many(settings, "parts", [{}, {"seed": 1}], epochs=[3])
    list(run_concurrently(whole, at_once=2))
    progress = run_concurrently(parts, at_once=2)
    next(progress), next(progress), next(progress)
    progress.close()  # as Ctrl-C does
    assert not RunFolder(parts[0].folder).done
    list(run_concurrently(parts, at_once=2))
    assert [results(one) for one in whole] == [results(other) for other in parts]


def test_the_others_go_on_where_one_fails(settings):
    good, bad = settings(name="good"), settings(name="bad", weight_lr=1e30, weight_lr_min=0, grad_clip=1e30)
    with pytest.raises(SearchError, match="Lower weight_lr"):
        list(run_concurrently([bad, good], at_once=2))
    assert RunFolder(good.folder).done and len(history(good)) == 2
    with pytest.raises(ExceptionGroup, match="2 runs failed"):
        list(run_concurrently([bad, settings(name="worse", weight_lr=1e30, weight_lr_min=0, grad_clip=1e30)], at_once=2))


def test_two_runs_of_one_folder_are_refused(settings):
    these = settings(name="same")
    with pytest.raises(RunLocked):
        list(run_concurrently([these, these], at_once=2))
    assert RunFolder(these.folder).done


class Machine:
    """A device on which n searches make `rates[n]` steps a second and each holds a gigabyte of `total`."""

    def __init__(self, rates, total):
        self.rates, self.total, self.now, self.runs = rates, total, 0.0, 1
        self.limit = RunLimit(self.memory, lambda: self.now)

    def memory(self):
        return self.runs * 10**9, (self.total - self.runs) * 10**9

    def settle(self, waiting=64):
        epochs = []
        for launched in range(4000):
            self.runs = min(self.limit.allowed, waiting)
            epochs += [0] * (self.runs - len(epochs))
            self.now += 1 / self.rates[self.runs]
            epochs[launched % self.runs] += 1
            self.limit.launched(epochs)
        return self.limit.allowed


RATES = {1: 10, 2: 19, 3: 27, 4: 34, 8: 40, 16: 41, 32: 41, 64: 41}


@pytest.mark.parametrize(
    ("total", "rates", "expected"),
    [
        (1000, RATES, 16),  # the doubling to 16 gained a fortieth: tried, and the last
        (8, RATES, 4),  # 4 hold half, and 4 more with their margin do not fit
        (2, RATES, 1),
        (1000, RATES | {2: 10.5}, 2),
    ],
)
def test_as_many_at_once_as_memory_and_throughput_allow(total, rates, expected):
    assert Machine(rates, total).settle() == expected


def test_fewer_waiting_than_allowed_stay_as_many_as_they_are():
    assert Machine(RATES, 1000).settle(waiting=3) == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="replays several CUDA graphs on streams of their own: needs a CUDA device")
def test_on_a_gpu_each_run_is_the_one_it_gives_alone(settings):
    alone, together = many(settings, "alone", device="cuda"), many(settings, "together", device="cuda")
    for these in alone:
        list(run(these))
    list(run_concurrently(together, at_once=4))
    assert [results(one) for one in alone] == [results(other) for other in together]
    measured = many(settings, "measured", device="cuda")
    list(run_concurrently(measured))
    assert [results(one) for one in alone] == [results(other) for other in measured]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="resumes a captured search: needs a CUDA device")
def test_on_a_gpu_stopped_and_continued_ends_with_the_same_bits(settings):
    whole, parts = (settings(SMALL_STAGES, device="cuda", name=name) for name in ("whole", "parts"))
    list(run(whole))
    for _ in range(5):
        generator = run(parts)
        for _ in range(2):
            next(generator, None)
        generator.close()
    list(run(parts))
    assert results(whole) == results(parts)
