"""Every file that is read back, damaged and crafted in some ways; `make soak` tries many more."""

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drnas_lib.benchmark.convert import META_FILE
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.runs.files import PROJECT
from tests.reliability import crafted, damage
from tests.reliability.targets import all_targets, unguarded

SLOW = {"newest checkpoint of a search", "newest checkpoint of a retraining", "run.lock", "holder.lock"}


@pytest.fixture(scope="module")
def place():
    """Not pytest's own folder, which an ordinary user may not look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def targets(place):
    with pytest.MonkeyPatch.context() as monkey:
        yield all_targets(place / "all", monkey)


@pytest.fixture
def evil(tmp_path):
    made = crafted.Evil(tmp_path / "executed")
    assert crafted.really_executes(made)
    return made


def test_damage_is_told_or_does_not_matter(targets):
    """Every kind of damage, once."""
    assert len(targets) == 27
    for name, target in targets.items():
        done = damage.campaign(name, target, len(damage.DAMAGES) + 1, 0)
        assert done.faults == []


def test_nothing_that_is_crafted_is_executed(targets, place):
    for name, target in (targets | unguarded(place / "unguarded")).items():
        if name not in SLOW:
            assert crafted.campaign(name, target, place).faults == []


def test_the_campaign_notices_a_reader_that_executes(tmp_path):
    """The detector itself: what unpickles is found out."""
    (folder := tmp_path / "folder").mkdir()
    (folder / "x").write_bytes(pickle.dumps(1))
    target = damage.Target(folder, folder / "x", lambda: pickle.loads((folder / "x").read_bytes()), (Exception,), named=" ")
    done = crafted.campaign("a pickle", target, tmp_path)
    assert done.outcomes["executed"] >= 4 and len(done.faults) >= 4


def test_the_campaign_notices_a_reader_that_is_silent(tmp_path):
    (folder := tmp_path / "folder").mkdir()
    (folder / "x").write_text("1234567890")
    target = damage.Target(folder, folder / "x", lambda: (folder / "x").read_bytes(), (OSError,))
    assert damage.campaign("a text", target, 30, 0).outcomes["lost"] > 10


def test_a_benchmark_is_not_opened_without_trust(tmp_path, evil):
    (tmp_path / "official.pth").write_bytes(pickle.dumps(evil))
    (tmp_path / "NATS").mkdir()
    (tmp_path / "NATS" / META_FILE).write_bytes(pickle.dumps(evil))
    for source in ("official.pth", "NATS"):
        command = [sys.executable, "-m", "drnas_lib.benchmark", "convert", "--source", tmp_path / source, "--out", tmp_path / "table"]
        answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
        assert answer.returncode and "--trust-pickle" in answer.stderr and source in answer.stderr
    assert not evil.marker.exists()


def test_papermill_does_not_execute_a_parameter_file(tmp_path, evil):
    (tmp_path / "some.yaml").write_bytes(crafted.of_yaml("object/apply:os.mkdir")(evil))
    command = [sys.executable, "-m", "papermill", "notebooks/search.ipynb", tmp_path / "out.ipynb", "-f", tmp_path / "some.yaml"]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert answer.returncode and "could not determine a constructor" in answer.stderr and not evil.marker.exists()


def test_a_crafted_cell_is_a_wrong_parameter(tmp_path, evil):
    (tmp_path / "cell.json").write_bytes(pickle.dumps(evil))
    with pytest.raises(ValueError, match="genotype=.*cell.json"):
        RetrainConfig.of({"genotype": str(tmp_path / "cell.json")})
    assert not evil.marker.exists()
