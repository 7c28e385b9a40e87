"""What several tests share."""

import os
import subprocess
from pathlib import Path
from unittest.mock import Mock

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: networks this small only wait for a second thread

import pytest  # noqa: E402

from drnas_lib.config.search import SearchConfig  # noqa: E402
from drnas_lib.runs import checkpoint  # noqa: E402
from drnas_lib.runs.files import PROJECT, RunFolder  # noqa: E402
from drnas_lib.search.run import run  # noqa: E402
from tests.reliability.processes import heed_interrupts  # noqa: E402

SMALL = dict(dataset="digits", epochs=[2], channels=8, subset=256, batch_size=32, evaluate="none")
SMALL_STAGES = SMALL | dict(protocol="paper", epochs=[2, 2], arch_warmup=[1, 0])


def run_with_stops(these, most=10):
    """A run that is stopped after every epoch, as Ctrl-C does, and started again until it is done."""
    for _ in range(most):
        generator = run(these)
        try:
            next(generator)  # of a continued run, the epoch that was already there
            next(generator)
        except StopIteration:
            return
        generator.close()


def leaves_no_checkpoint_after_the_next_start(run, these, monkeypatch):
    """An interrupt between done.json and the removal of the checkpoints: the next start computes nothing and removes them."""
    folder = RunFolder(these.folder)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "clear", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            list(run(these))
    assert folder.done and checkpoint.list_checkpoints(folder.path)
    assert list(run(these)) == [] and not checkpoint.list_checkpoints(folder.path)


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    heed_interrupts()


@pytest.fixture(scope="session")
def committed(tmp_path_factory) -> Path:
    """results/ as git has it: who has searched or trained in this checkout has more there."""
    listed = subprocess.run(["git", "ls-files", "-z", "results"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode or not listed.stdout:
        return PROJECT / "results"  # no checkout, so nothing tells what was published
    folder = tmp_path_factory.mktemp("committed")
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(PROJECT / name)
    return folder / "results"


@pytest.fixture
def settings(tmp_path):
    """Settings of a search that takes a second, kept in a folder of the test's own: `settings(**changes)`."""
    return lambda base=SMALL, **changes: SearchConfig.of(base | {"results": str(tmp_path), "device": "cpu"} | changes).settings()


@pytest.fixture
def data_root():
    """The real data, where DRNAS_DATA names it."""
    root = os.environ.get("DRNAS_DATA")
    if not root or not (Path(__file__).parents[1] / root).exists():
        pytest.skip("DRNAS_DATA does not name a folder of real data")
    return Path(__file__).parents[1] / root
