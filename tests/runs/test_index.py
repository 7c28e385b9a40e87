"""drnas_lib.runs.index: the runs of a folder, read; what is damaged is named, and the rest is read all the same."""

import json

from drnas_lib.runs.index import RunIndex
from tests import paper_runs


def test_the_committed_runs_are_whole(committed):
    results = RunIndex.read(committed)
    assert len(results) and not results.damaged
    explored = [run for run in results.searches if "exploration" in run.beside]
    assert explored and all(run.kind == "search" and run.hours > 0 for run in explored)
    assert all(not run.folder.name.startswith("nb201") and run.name.startswith("nb201") for run in explored)
    assert all(len(run.beside["seeds"]) == run.parameters["seeds"] for run in results.lookups)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert len(RunIndex.read(tmp_path / "none")) == 0


def test_only_finished_runs_count(tmp_path):
    paper_runs.search(tmp_path, dataset="cifar10")
    paper_runs.search(tmp_path, dataset="cifar10", seed=1).file("done.json").unlink()
    assert [run.seed for run in RunIndex.read(tmp_path).searches] == [0]


def test_a_damaged_record_is_named_and_the_others_are_read(tmp_path):
    folders = [paper_runs.search(tmp_path, dataset="cifar10", seed=seed) for seed in range(4)]
    folders[1].file("record.json").write_text(folders[1].file("record.json").read_text()[:200])
    record = json.loads(folders[2].file("record.json").read_text())
    del record["device"], record["metrics"]["search_s"], record["parameters"]["lam"]
    folders[2].file("record.json").write_text(json.dumps(record))
    folders[3].file("record.json").unlink()
    results = RunIndex.read(tmp_path)
    assert [run.seed for run in results.searches] == [0] and len(results.damaged) == 3
    for folder, problem in zip(folders[1:], results.damaged):
        assert str(folder.path) in problem and "rerun=True" in problem
    assert "lacks device, parameters.lam, metrics.search_s" in results.damaged[1]


def test_a_damaged_file_beside_a_run_does_not_take_the_run_away(tmp_path):
    folder = paper_runs.search(tmp_path, dataset="cifar10")
    folder.file("exploration_accuracy.csv").write_bytes(b'"\x00')
    folder.file("hessian_eta_literature_64_batch_float32.json").write_text('{"epochs": [{"epoch": 1}]}')
    results = RunIndex.read(tmp_path)
    assert len(results) == 1 and not results.searches[0].beside
    assert len(results.damaged) == 2 and all("Delete it" in problem for problem in results.damaged)


def test_of_two_reduced_runs_the_longer_is_known(tmp_path):
    paper_runs.search(tmp_path, dataset="cifar10", epochs=[20], subset=5000)
    paper_runs.search(tmp_path, dataset="cifar10", epochs=[10], subset=2500)
    paper_runs.training(tmp_path, 3.0, epochs=6, subset=300)
    results = RunIndex.read(tmp_path)
    assert sorted(run.work for run in results.searches) == [25_000, 100_000] and results.trainings[0].work == 1800
