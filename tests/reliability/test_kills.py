"""A few kills of each kind of run; `make soak` does many, with Ctrl-C and of the notebooks too."""

import signal
import subprocess
import sys

import pytest

from drnas_lib.runs.files import PROJECT
from tests.reliability import kills, two_processes, writes
from tests.reliability.processes import await_end, children

WATCHED = """
import subprocess, sys, time
code = (
    "import time; from drnas_lib.distributed.__main__ import end_with_torchrun; "
    "end_with_torchrun(); print('up', flush=True); time.sleep(60)"
)
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print("up", flush=True)
time.sleep(60)
"""


def test_sigkill_at_random_moments_ends_with_the_same_bits(tmp_path):
    done = kills.campaign("progressive", 2, 0, tmp_path)  # a training stopped between epochs is in tests/retrain, killed in `make soak`
    assert done.faults == [] and done.outcomes["exact"] == done.tried >= 2


def test_killed_between_two_writes(tmp_path, data_root):
    assert writes.campaign("table search", 2, 0, tmp_path).faults == []


def test_an_interrupted_kernel_runs_the_cell_again(tmp_path):
    assert two_processes.interrupted_kernel("search", 1, 0, tmp_path).faults == []


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process that its parent has ended")
def test_what_torchrun_started_ends_with_it():
    parent = subprocess.Popen([sys.executable, "-c", WATCHED], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    parent.stdout.readline()
    below = children(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert below and await_end(below, 10)
