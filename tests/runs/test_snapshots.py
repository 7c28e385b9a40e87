"""drnas_lib.runs.snapshots: kept while a search runs and after it, the same after an interruption, damage and absence told."""

import pytest
import torch

from drnas_lib.runs import snapshots
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.runs.snapshots import SnapshotError
from drnas_lib.search.run import run
from tests.conftest import SMALL_STAGES

CPU = torch.device("cpu")


def identity(folder):
    record = read_json(folder.file("record.json"))
    return f"{record['parameters']['fingerprint']}-{record['data']['fingerprint']}"


def test_a_run_keeps_what_was_asked_and_the_last(settings):
    these = settings(epochs=[5], snapshots=2)
    list(run(these))
    folder = RunFolder(these.folder)
    assert [path.name for path in snapshots.require_snapshots(folder.path)] == ["snapshot-00002", "snapshot-00004", "snapshot-00005"]
    last = snapshots.load(snapshots.require_snapshots(folder.path)[-1], identity(folder), CPU)
    assert last.epoch == 5 and last.k == 1 and last.mask.all() and last.eta.shape == last.mask.shape


def test_they_are_not_part_of_the_result(settings):
    assert settings(snapshots=2).fingerprint == settings().fingerprint
    assert settings(snapshots=2).folder == settings().folder


def test_an_interrupted_run_keeps_the_same_ones(settings):
    whole, parts = settings(SMALL_STAGES, snapshots=1), settings(SMALL_STAGES, snapshots=1, name="parts")
    list(run(whole))
    for _ in range(10):
        generator = run(parts)
        try:
            next(generator)
            next(generator)
        except StopIteration:
            break
        generator.close()
    pairs = [snapshots.require_snapshots(RunFolder(these.folder).path) for these in (whole, parts)]
    assert len(pairs[0]) == len(pairs[1]) == 4
    for one, other in zip(*pairs):
        a, b = snapshots.load(one, identity(RunFolder(whole.folder)), CPU), snapshots.load(other, identity(RunFolder(parts.folder)), CPU)
        assert (a.epoch, a.stage, a.k) == (b.epoch, b.stage, b.k)
        assert torch.equal(a.eta, b.eta) and all(torch.equal(a.net[name], b.net[name]) for name in a.net)


def test_a_run_without_any_says_what_to_do(settings):
    these = settings(epochs=[1])
    list(run(these))
    with pytest.raises(SnapshotError, match="-p snapshots 1 -p rerun True"):
        snapshots.require_snapshots(RunFolder(these.folder).path)


def test_damage_and_a_stranger_are_refused(settings):
    these = settings(epochs=[1], snapshots=1)
    list(run(these))
    folder = RunFolder(these.folder)
    (path,) = snapshots.require_snapshots(folder.path)
    with pytest.raises(SnapshotError, match="other settings or data"):
        snapshots.load(path, "someone else", CPU)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SnapshotError, match="checksum"):
        snapshots.load(path, identity(folder), CPU)
    list(run(these, rerun=True))
    assert snapshots.load(path, identity(folder), CPU).epoch == 1, "a repeated run replaces them"
