"""drnas_lib.search.run and search: whole runs, killed and continued, skipped, refused, and judged."""

import csv
import os
from dataclasses import replace

import pytest
import torch

from drnas_lib.benchmark.table import Benchmark, Standing, how_to_get
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.data.sources import load
from drnas_lib.runs import checkpoint
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.files import RecordError, RunFolder, RunLocked, read_json
from drnas_lib.search import bilevel
from drnas_lib.search import run as search_run
from drnas_lib.search.loop import Search, SearchError
from drnas_lib.search.run import run
from tests.conftest import SMALL, SMALL_STAGES, leaves_no_checkpoint_after_the_next_start, run_with_stops

NOT_OF_THE_RESULT = ("seconds", "images_per_s", "searches_at_once", "peak_memory_mb")  # a GPU's peak is that of all who share it


def history(settings):
    with open(RunFolder(settings.folder).file("history.csv")) as file:
        return [{key: value for key, value in row.items() if key not in NOT_OF_THE_RESULT} for row in csv.DictReader(file)]


def results(settings):
    folder = RunFolder(settings.folder)
    weights = read_json(folder.file("record.json"))["supernet_sha256"]
    return history(settings), folder.file("eta.csv").read_text(), read_json(folder.file("genotype.json")), weights


def test_a_run_leaves_the_records_of_the_contract(settings):
    these = settings()
    epochs = list(run(these))
    folder = RunFolder(these.folder)
    assert [epoch.row["epoch"] for epoch in epochs] == [1, 2]
    record = read_json(folder.file("record.json"))
    assert record["protocol"] == "released" and record["parameters"]["batch_size"] == 32
    assert len(record["data"]["fingerprint"]) == 64 and record["environment"]["packages"]["torch"]
    assert record["stages"][0]["activation_mb"] > 0 and record["metrics"]["search_s"] > 0
    assert "2 instead of 40 epochs" in record["reduced"][0]
    with open(folder.file("eta.csv")) as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6 * 5 and float(rows[-1]["eta"]) == pytest.approx(float(rows[-1]["eta"]))
    assert folder.done and not checkpoint.list_checkpoints(folder.path)
    assert list(run(these)) == [], "a finished run is skipped"


def test_an_interrupt_before_the_checkpoints_are_removed_leaves_none_after_the_next_start(settings, monkeypatch):
    leaves_no_checkpoint_after_the_next_start(run, settings(), monkeypatch)


def test_same_seed_same_bits_other_seed_other_bits(settings):
    first, again, other = settings(), settings(name="again"), settings(seed=1)
    for these in (first, again, other):
        list(run(these))
    assert results(first) == results(again)
    assert results(first)[1] != results(other)[1]


@pytest.mark.parametrize("base", [SMALL, SMALL_STAGES], ids=["plain", "progressive"])
@pytest.mark.parametrize("bilevel_order", ["first", "second"])
def test_stopped_after_any_epoch_ends_with_the_same_bits(settings, base, bilevel_order):
    whole, parts = settings(base, bilevel=bilevel_order), settings(base, bilevel=bilevel_order, name="parts")
    list(run(whole))
    run_with_stops(parts)
    assert RunFolder(parts.folder).done
    assert results(whole) == results(parts)


def test_damaged_newest_checkpoint_costs_an_epoch_not_the_run(settings):
    whole, hurt = settings(epochs=[3]), settings(epochs=[3], name="hurt")
    list(run(whole))
    generator = run(hurt)
    next(generator), next(generator)
    generator.close()
    newest = checkpoint.list_checkpoints(RunFolder(hurt.folder).path)[0]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match="does not match its checksum"):
        list(run(hurt))
    assert results(whole) == results(hurt)


def test_other_settings_in_the_same_folder_are_refused(settings):
    list(run(settings(name="mine")))
    with pytest.raises(CheckpointError, match="finished run with other settings.*rerun=True"):
        list(run(settings(name="mine", lam=0.5)))
    generator = run(settings(name="half"))
    next(generator)
    generator.close()
    with pytest.raises(CheckpointError, match="other settings or data"):
        list(run(settings(name="half", lam=0.5)))
    assert len(list(run(settings(name="mine", lam=0.5), rerun=True))) == 2


def test_a_run_begun_on_another_kind_of_device_is_not_continued(settings, monkeypatch):
    generator = run(settings())
    next(generator)
    generator.close()
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda *args: load(*args) | {"device": "cuda"})
    with pytest.raises(CheckpointError, match="begun on cuda.*device='cuda'.*rerun=True"):
        list(run(settings()))


def test_two_processes_cannot_share_a_folder(settings):
    these = settings()
    generator = run(these)
    next(generator)
    with pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        next(run(these))
    generator.close()
    list(run(these))


def test_full_disk_keeps_the_last_good_state(settings, monkeypatch):
    these = settings()
    generator = run(these)
    next(generator)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="disk is full.*untouched"):
        next(generator)
    monkeypatch.undo()
    assert [path.name for path in checkpoint.list_checkpoints(RunFolder(these.folder).path)] == ["checkpoint-00001"]
    assert len(list(run(these))) == 2


def test_loss_that_is_not_finite_stops_with_advice(settings):
    with pytest.raises(SearchError, match="Lower weight_lr"):
        list(run(settings(weight_lr=1e30, weight_lr_min=0, grad_clip=1e30)))


def test_out_of_memory_stops_with_advice(settings, monkeypatch):
    def out(self, batch):
        raise torch.OutOfMemoryError("tried to allocate")

    with monkeypatch.context() as patch, pytest.raises(SearchError, match="in epoch 1 .*Raise k.*lower batch_size"):
        patch.setattr(bilevel.SearchStep, "weight_step", out)
        list(run(settings()))
    with monkeypatch.context() as patch, pytest.raises(SearchError, match="at the start .*Raise k"):
        patch.setattr(Search, "activation_mb", lambda self: out(self, None))
        list(run(settings()))
    these = settings(SMALL_STAGES)
    with monkeypatch.context() as patch, pytest.raises(SearchError, match="in epoch 3 .*Raise k"):
        patch.setattr(Search, "prune_and_widen", lambda self, stage: out(self, None))
        list(run(these))
    with monkeypatch.context() as patch, pytest.raises(SearchError, match="at the last checkpoint .*Raise k"):
        patch.setattr(Search, "restore", lambda self, state: out(self, None))
        list(run(these))
    assert len(list(run(these))) == 3, "the checkpoint is still there: its epoch, and the two that are left"


def test_arch_warmup_holds_eta_and_stages_prune_and_widen(settings):
    these = settings(SMALL_STAGES)
    list(run(these))
    rows = history(these)
    assert [row["k"] for row in rows] == ["8", "8", "4", "4"] and [row["operations_kept"] for row in rows] == ["5", "5", "3", "3"]
    assert rows[0]["valid_loss_nats"] == "" and rows[1]["valid_loss_nats"] != ""
    with open(RunFolder(these.folder).file("eta.csv")) as file:
        eta = list(csv.DictReader(file))
    last = [float(row["eta"]) for row in eta if row["epoch"] == "4"]
    assert sum(value == 0 for value in last) == 6 * 2, "two operations of each edge are dropped and stay at the anchor"
    assert float(rows[3]["activation_mb"]) != float(rows[1]["activation_mb"])


def test_training_compares_cells_with_several_seeds_and_continues(settings):
    these = settings(evaluate="train", train_epochs=2, random_cells=2, train_seeds=2)
    generator = run(these)
    for progress in generator:
        if isinstance(progress, search_run.TrainingEpoch) and progress.cell == "random_1" and progress.seed == 1:
            generator.close()
            break
    list(run(these))
    whole = settings(evaluate="train", train_epochs=2, random_cells=2, train_seeds=2, name="whole")
    list(run(whole))
    found, expected = (read_json(RunFolder(s.folder).file("record.json"))["evaluation"] for s in (these, whole))
    assert found == expected
    assert [cell["cell"] for cell in found["cells"]] == ["derived", "random_1", "random_2", "all_skip"]
    assert (found["seeds"], found["random_cells"], found["test_images"]) == (2, 2, len(load("digits", None).test.labels))
    assert found["train_images"] == these.subset == 256, "cells are trained on the images that the search uses"
    for cell in found["cells"]:
        one, other = cell["digits_test_acc_pct_by_seed"]
        assert cell["digits_test_acc_pct"] == (one + other) / 2 and one != other and cell["parameters"] > 0
    assert found["cells"][1]["genotype"] != found["cells"][2]["genotype"]
    assert not list(RunFolder(these.folder).path.glob("*/checkpoint-*")), "finished trainings leave none"


def test_a_finished_search_is_judged_in_another_way_without_searching_again(settings):
    list(run(settings()))
    asked = dict(evaluate="train", train_epochs=1, random_cells=1, train_seeds=1)
    progress = list(run(settings(**asked)))
    assert len(progress) == 3 and all(isinstance(entry, search_run.TrainingEpoch) for entry in progress)
    assert read_json(RunFolder(settings().folder).file("record.json"))["evaluation"]["epochs"] == 1
    assert list(run(settings(**asked))) == []
    again = list(run(settings(**asked | {"random_cells": 2})))
    assert [(progress.cell, progress.number, progress.trainings) for progress in again][-2:] == [("random_2", 3, 4), ("all_skip", 4, 4)]


def test_trained_cells_are_kept_when_a_search_is_judged_anew(settings):
    asked = dict(evaluate="train", train_epochs=1, random_cells=1, train_seeds=1)
    list(run(settings(**asked)))
    file = RunFolder(settings().folder).file("record.json")
    first = read_json(file)
    assert list(run(settings())) == [] and read_json(file) == first, "evaluate='none' asks for nothing"
    list(run(settings(**asked | {"train_epochs": 2})))
    record = read_json(file)
    assert record["evaluation"]["epochs"] == 2 and record["earlier_evaluations"] == [first["evaluation"]]
    assert list(run(settings(**asked))) == [], "nothing is trained again"
    assert read_json(file)["evaluation"] == first["evaluation"] and read_json(file)["earlier_evaluations"] == [record["evaluation"]]


def test_an_interrupted_evaluation_goes_on_with_another_length(settings):
    asked = dict(evaluate="train", train_epochs=3, random_cells=1, train_seeds=1)
    generator = run(settings(**asked))
    while not isinstance(next(generator), search_run.TrainingEpoch):
        pass
    generator.close()
    list(run(settings(**asked | {"train_epochs": 1})))
    folder = RunFolder(settings().folder)
    assert read_json(folder.file("record.json"))["evaluation"]["epochs"] == 1
    assert not list(folder.path.glob("*/checkpoint-*"))


def test_real_cifar10_and_the_table(settings, data_root):
    these = settings(dict(dataset="cifar10", subset=128, epochs=[1], cells=1, channels=4, batch_size=32))
    list(run(these))
    evaluation = read_json(RunFolder(these.folder).file("record.json"))["evaluation"]
    assert round(evaluation["optimum_cifar10_test_acc_pct"], 2) == 94.37
    assert 9 < evaluation["cifar10_test_acc_pct"] <= 94.38
    standing = Standing.from_record(evaluation, "cifar10_test")
    assert standing == Benchmark.load().standing(evaluation["cifar10_test_acc_pct"], "cifar10", "test")
    said = SearchReport.read(these.folder).conclusion().data
    assert f"the test accuracy of the cell on cifar10 is {standing}." in said and "of all cells; the best cell has 94.37 %" in said
    without = evaluation.keys() - {f"cifar10_{split}_{what}" for split in ("valid", "test") for what in ("rank", "below_pct")}
    report = SearchReport.read(these.folder)
    old = replace(report, record=report.record | {"evaluation": {key: evaluation[key] for key in without}})
    assert str(standing) in old.conclusion().data, "a run of before ranks were kept"


def test_without_the_table_the_accuracy_is_unknown_until_there_is_one(settings, data_root, tmp_path, monkeypatch):
    (tmp_path / "cifar10").symlink_to(data_root.resolve() / "cifar10")
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    these = settings(dict(dataset="cifar10", subset=128, epochs=[1], cells=1, channels=4, batch_size=32))
    list(run(these))
    assert read_json(RunFolder(these.folder).file("record.json"))["evaluation"]["unknown"] == how_to_get()
    report = SearchReport.read(these.folder)
    assert how_to_get() in report.conclusion().data and how_to_get() in report.accuracy().data
    eta = RunFolder(these.folder).file("eta.csv")
    before, changed = eta.read_bytes(), eta.stat().st_mtime_ns
    monkeypatch.setenv("DRNAS_DATA", str(data_root))
    assert list(run(these)) == [], "no epoch is searched again"
    assert "cifar10_test_acc_pct" in SearchReport.read(these.folder).record["evaluation"]
    assert (eta.read_bytes(), eta.stat().st_mtime_ns) == (before, changed)
