"""What the machine may do to a run: no room, no permission, a clock that jumps, a number that is none."""

import json
import subprocess
import sys

import pytest

from drnas_lib.retrain import run as retrain_run
from drnas_lib.runs.files import PROJECT
from tests.reliability import clocks, disks, not_finite
from tests.reliability.left_behind import left_behind
from tests.reliability.runs import RETRAIN, RETRAINING, retrain_settings

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (int(__import__('sys').argv[2]),) * 2)\n"


def test_a_file_that_finds_no_room_is_named_and_the_run_goes_on_with_room(tmp_path):
    """The limit is the system's, on the size of a file, so it needs no root."""
    whole, limited = (retrain_settings(tmp_path / name, epochs=2) for name in ("whole", "limited"))
    list(retrain_run.run(whole))
    given = json.dumps(RETRAIN | {"results": str(tmp_path / "limited"), "epochs": 2})
    answer = subprocess.run([sys.executable, "-c", LIMITED + RETRAINING, given, "100000"], cwd=PROJECT, capture_output=True, text=True)
    assert answer.returncode and "checkpoint-00001" in answer.stderr and "free some space" in answer.stderr
    list(retrain_run.run(limited))
    assert left_behind(tmp_path / "limited") == left_behind(tmp_path / "whole")


def test_a_disk_that_is_really_full_and_one_that_is_read_only(tmp_path, data_root):
    if not disks.can_mount(tmp_path):
        pytest.skip("mounts a small disk: needs root")
    for name in disks.KINDS:
        assert disks.campaign(name, 1, 0, tmp_path / name).faults == []
    assert disks.turned_read_only("search", 1, 0, tmp_path / "turned").faults == []


@pytest.mark.skipif(sys.platform != "linux" or clocks.compiler() is None, reason="needs Linux and a C compiler")
def test_a_clock_that_jumps_changes_nothing(tmp_path):
    assert clocks.campaign("search", 1, 0, tmp_path).faults == []


@pytest.mark.parametrize("name", ["search", "retrain"])
def test_a_nan_stops_the_run_at_its_step(name, tmp_path):
    assert not_finite.campaign(name, 2, 0, tmp_path).faults == []
