"""drnas_lib.runs.checkpoint: two kept, damage told, nothing executed."""

import hashlib
import os
import pickle
from contextlib import nullcontext

import pytest
import torch

from drnas_lib.runs import checkpoint
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.files import RecordError
from drnas_lib.runs.identity import Identity

CPU = torch.device("cpu")


def test_round_trip_keeps_the_last_two(tmp_path):
    for epoch in (1, 2, 3):
        checkpoint.save(tmp_path, epoch, Identity("f"), {"weights": torch.full((2,), float(epoch))})
    assert [path.name for path in checkpoint.list_checkpoints(tmp_path)] == ["checkpoint-00003", "checkpoint-00002"]
    assert checkpoint.load(tmp_path, Identity("f"), CPU)["weights"].tolist() == [3.0, 3.0]


def test_nothing_there_is_no_error(tmp_path):
    assert checkpoint.load(tmp_path, Identity("f"), CPU) is None


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: c[:-1] + bytes([c[-1] ^ 1]), lambda c: b"", lambda c: b"x" * 99])
def test_damage_is_named_and_the_one_before_is_used(tmp_path, damage):
    for epoch in (1, 2):
        checkpoint.save(tmp_path, epoch, Identity("f"), {"epoch": epoch})
    newest = tmp_path / "checkpoint-00002"
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(UserWarning, match="checkpoint-00002"):
        assert checkpoint.load(tmp_path, Identity("f"), CPU) == {"epoch": 1}
    (tmp_path / "checkpoint-00001").unlink()
    with pytest.raises(CheckpointError, match="no usable checkpoint.*rerun=True"):
        checkpoint.load(tmp_path, Identity("f"), CPU)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint.save(tmp_path, 1, Identity("theirs"), {})
    with pytest.raises(CheckpointError, match="other settings or data"):
        checkpoint.load(tmp_path, Identity("mine"), CPU)


def test_a_state_that_does_not_fit_is_of_another_version(tmp_path):
    with pytest.raises(CheckpointError, match="another version of this project.*rerun=True"), checkpoint.fitting(tmp_path):
        torch.nn.Linear(2, 2).load_state_dict({})
    with pytest.raises(CheckpointError, match="^mine$"), checkpoint.fitting(tmp_path):
        raise CheckpointError("mine")


def test_a_folder_in_the_place_of_a_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint-00001").mkdir()
    for epoch in (2, 3):
        with pytest.raises(RecordError, match="checkpoint-00001") if epoch == 3 else nullcontext():
            checkpoint.save(tmp_path, epoch, Identity("f"), {"epoch": epoch})
    assert checkpoint.load(tmp_path, Identity("f"), CPU) == {"epoch": 3}


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_crafted_pickle_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint-00001").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="not a checkpoint of this project"):
        checkpoint.load(tmp_path, Identity("f"), CPU)
    payload = pickle.dumps(Evil(), protocol=2)
    checkpoint.save(tmp_path, 2, Identity("f"), {})
    (tmp_path / "checkpoint-00002").write_bytes(checkpoint.MAGIC + hashlib.sha256(payload).digest() + payload)
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path, Identity("f"), CPU)
    assert not (tmp_path / "executed").exists()
