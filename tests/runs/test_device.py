"""drnas_lib.runs.device: one thread where the work is small, the user's word, threads that sleep, and the same bits."""

import os
import subprocess
import sys

import pytest
import torch

from drnas_lib.runs.device import threads_for, using_threads
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.search.concurrent import run_concurrently
from drnas_lib.search.run import run

CPU = torch.device("cpu")
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
ASK = f"import os, drnas_lib; print(*(os.environ.get(name) for name in {WAITING}))"


@pytest.fixture
def two(monkeypatch):
    """PyTorch with two threads, and nobody who asked for them."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with using_threads(2):
        yield


def test_small_work_has_one_thread_and_large_work_all(two):
    assert threads_for(CPU, 64, 16, 8) == threads_for(CPU, 64, 8, 32) == 1
    assert threads_for(CPU, 64, 16, 32) == 2, "the published search"
    assert threads_for(torch.device("cuda"), 64, 16, 8) == 2, "a GPU computes; what is left of the CPU's work is as before"


def test_who_sets_the_number_has_it(two, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_for(CPU, 64, 16, 8) == 2


def test_the_number_is_put_back(two):
    with pytest.raises(RuntimeError), using_threads(1):
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == 2


def test_a_run_records_its_threads_and_puts_them_back(two, settings):
    list(run_concurrently([settings(), settings(seed=1)], at_once=2))
    assert torch.get_num_threads() == 2
    record = read_json(RunFolder(settings().folder).file("record.json"))
    assert (record["threads"], record["device"]) == (1, "CPU, 1 thread")


def test_the_bits_of_small_work_do_not_depend_on_the_cores(two, settings):
    changes = dict(evaluate="train", train_epochs=1, random_cells=1, train_seeds=1)
    one, other = (settings(name=name, **changes) for name in ("one", "two"))
    with using_threads(1):
        list(run(one))
    list(run(other))
    records = [read_json(RunFolder(these.folder).file("record.json")) for these in (one, other)]
    assert records[0]["supernet_sha256"] == records[1]["supernet_sha256"] and records[0]["evaluation"] == records[1]["evaluation"]


def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise():
    without = {name: value for name, value in os.environ.items() if name not in WAITING}
    ask = lambda environment: subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True).stdout.split()
    assert ask(without) == ["PASSIVE", "0", "0"]
    assert ask(without | {"OMP_WAIT_POLICY": "ACTIVE"}) == ["ACTIVE", "None", "None"]
    assert ask(without | {"GOMP_SPINCOUNT": "1000"}) == ["PASSIVE", "1000", "0"]
