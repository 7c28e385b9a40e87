"""Tests of drnas_lib.benchmark_convert on small files in the layouts of the two official releases."""

import bz2
import copy
import gzip
import io
import os
import pickle
from collections import OrderedDict

import pandas as pd
import pytest
import torch

from drnas_lib.benchmark import ACCURACY_COLUMNS, COLUMNS, Benchmark, convert, main
from drnas_lib.benchmark_convert import MEASURED, ConversionError, rows
from drnas_lib.genotype import all_nb201

ARCHS = [str(genotype) for genotype in list(all_nb201())[5000::4000]]  # three cells
SEEDS = {12: [777, 888], 200: [777, 888, 999]}
SPLITS = {"cifar10-valid": ["x-valid", "ori-test"], "cifar10": ["ori-test"]}


def accuracy(cell: int, epochs: int, dataset: str, split: str, seed: int) -> float:
    """A made-up accuracy that no other combination shares."""
    place = ["cifar10-valid", "cifar10", "cifar100", "ImageNet16-120"].index(dataset)
    return 10 * place + epochs / 20 + {"x-valid": 1, "x-test": 2, "ori-test": 3}[split] + seed / 1000 + cell / 100


def results(cell: int, arch: str, epochs: int) -> dict:
    """What one schedule gave for one cell: the stored state of the official result class, trial by trial."""
    trials = {}
    datasets = ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120")
    for dataset in datasets:
        splits = SPLITS.get(dataset, ["ori-test", "x-valid", "x-test"])
        for seed in SEEDS[epochs]:
            final = {f"{split}@{epochs - 1}": accuracy(cell, epochs, dataset, split, seed) for split in splits}
            trials[dataset, seed] = {
                "name": "infer.tiny",
                "net_state_dict": None,
                "train_acc1es": OrderedDict({epochs - 1: 99.0}),
                "arch_config": {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": 10},
                "params": 0.802426,
                "flop": 113.95,
                "seed": seed,
                "epochs": epochs,
                "latency": [0.01],
                "eval_names": splits,
                "eval_acc1es": {f"{splits[0]}@0": 5.0} | final,
                "eval_losses": {},
                "eval_times": {},
            }
    seeds = {dataset: list(SEEDS[epochs]) for dataset in datasets}
    return {"arch_index": cell, "arch_str": arch, "all_results": trials, "dataset_seed": seeds, "clear_net_done": True}


@pytest.fixture
def content() -> dict:
    infos = {
        cell: {"less": results(cell, arch, 12), "full": results(cell, arch, 200)} for cell, arch in enumerate(ARCHS)
    }
    return {"meta_archs": ARCHS, "arch2infos": infos, "evaluated_indexes": {0, 1, 2}}


def write_pth(content, folder):
    torch.save(content, folder / "nas.pth")
    return folder / "nas.pth"


def write_folder(content, folder):
    folder = folder / "NATS-tss-simple"
    folder.mkdir()
    files = {"meta": {"meta_archs": content["meta_archs"], "evaluated_indexes": content["evaluated_indexes"]}}
    files |= {f"{cell:06d}": {"12": info["less"], "200": info["full"]} for cell, info in content["arch2infos"].items()}
    for name, data in files.items():
        (folder / f"{name}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(data, protocol=4)))
    return folder


RELEASES = pytest.mark.parametrize("write", [write_pth, write_folder])


def test_columns_are_those_of_the_table():
    assert tuple(MEASURED) == ACCURACY_COLUMNS


@RELEASES
def test_each_column_is_the_mean_over_seeds_of_the_last_epoch(content, tmp_path, write):
    expected = {
        "cifar10_valid": (200, "cifar10-valid", "x-valid"),
        "cifar10_test": (200, "cifar10", "ori-test"),
        "cifar100_valid": (200, "cifar100", "x-valid"),
        "cifar100_test": (200, "cifar100", "x-test"),
        "imagenet16-120_valid": (200, "ImageNet16-120", "x-valid"),
        "imagenet16-120_test": (200, "ImageNet16-120", "x-test"),
        "cifar10_valid_12": (12, "cifar10-valid", "x-valid"),
        "cifar100_valid_12": (12, "cifar100", "x-valid"),
        "imagenet16-120_valid_12": (12, "ImageNet16-120", "x-valid"),
    }
    found = list(rows(write(content, tmp_path), trust_pickle=True))
    assert [(row["index"], row["arch"]) for row in found] == list(enumerate(ARCHS))
    for cell, row in enumerate(found):
        assert tuple(row) == COLUMNS
        for column, measured in expected.items():
            of_seeds = [accuracy(cell, *measured, seed) for seed in SEEDS[measured[0]]]
            assert row[column] == pytest.approx(sum(of_seeds) / len(of_seeds), abs=5.1e-5), column


@RELEASES
def test_only_the_seeds_that_were_trained_count(content, tmp_path, write):
    full = content["arch2infos"][1]["full"]
    full["dataset_seed"]["cifar10"] = [888]
    for seed in (777, 999):
        del full["all_results"]["cifar10", seed]
    row = list(rows(write(content, tmp_path), trust_pickle=True))[1]
    assert row["cifar10_test"] == pytest.approx(accuracy(1, 200, "cifar10", "ori-test", 888))


def test_both_releases_of_the_same_results_give_the_same_rows(content, tmp_path):
    of_pth = list(rows(write_pth(content, tmp_path), trust_pickle=True))
    assert of_pth == list(rows(write_folder(content, tmp_path), trust_pickle=True))


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@RELEASES
def test_pickles_are_not_opened_without_trust(content, tmp_path, write):
    trace = tmp_path / "opened"
    content["evaluated_indexes"] = Bomb(trace)
    source = write(content, tmp_path)
    with pytest.raises(ConversionError, match="runs whatever code it contains.*--trust-pickle"):
        list(rows(source, trust_pickle=False))
    assert not trace.exists()
    list(rows(source, trust_pickle=True))  # that the code is there, and runs for those who vouch for the file
    assert trace.exists()


@RELEASES
def test_first_release_without_short_runs_is_refused_with_advice(content, tmp_path, write):
    del content["arch2infos"][2]["less"]["dataset_seed"]["cifar100"]
    with pytest.raises(ConversionError, match="cell 2 .*no trial of 12 epochs on cifar100.*use v1.1 or NATS-Bench"):
        list(rows(write(content, tmp_path), trust_pickle=True))


@pytest.mark.parametrize("key", ["meta_archs", "arch2infos"])
def test_pth_of_another_layout_is_refused(content, tmp_path, key):
    del content[key]
    with pytest.raises(ConversionError, match=f"'{key}' is missing; this is not the layout"):
        list(rows(write_pth(content, tmp_path), trust_pickle=True))


def test_unevaluated_last_epoch_is_refused(content, tmp_path):
    del content["arch2infos"][0]["full"]["all_results"]["cifar100", 888]["eval_acc1es"]["x-test@199"]
    with pytest.raises(ConversionError, match="cell 0 .*'x-test@199' is missing"):
        list(rows(write_pth(content, tmp_path), trust_pickle=True))


def test_missing_cell_file_is_named(content, tmp_path):
    folder = write_folder(content, tmp_path)
    (folder / "000001.pickle.pbz2").unlink()
    with pytest.raises(ConversionError, match="000001.pickle.pbz2 is missing; unpack the whole archive"):
        list(rows(folder, trust_pickle=True))


def test_damaged_files_are_named(content, tmp_path):
    folder = write_folder(content, tmp_path)
    file = folder / "000002.pickle.pbz2"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ConversionError, match="000002.pickle.pbz2 is damaged"):
        list(rows(folder, trust_pickle=True))
    path = write_pth(content, tmp_path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ConversionError, match="nas.pth is damaged or not a NAS-Bench-201 file"):
        list(rows(path, trust_pickle=True))


@pytest.mark.parametrize(
    ("name", "message"), [("absent.pth", "does not exist"), ("table.csv", "neither a .pth file nor")]
)
def test_wrong_source_is_refused(tmp_path, name, message):
    (tmp_path / "table.csv").touch()
    with pytest.raises(ConversionError, match=message):
        list(rows(tmp_path / name, trust_pickle=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A release with all 15,625 cells, in another order than ours; cells share their results, so the file is small."""
    archs = [str(genotype) for genotype in all_nb201()][::-1]
    info = {"less": results(0, archs[0], 12), "full": results(0, archs[0], 200)}
    best = copy.deepcopy(info)
    for seed in SEEDS[200]:
        best["full"]["all_results"]["cifar10", seed]["eval_acc1es"]["ori-test@199"] = 94.0 + seed / 1000
    infos = {cell: best if cell == 77 else info for cell in range(len(archs))}
    return write_pth(
        {"meta_archs": archs, "arch2infos": infos, "evaluated_indexes": set()}, tmp_path_factory.mktemp("whole")
    )


def test_command_writes_a_table_that_loads(whole, tmp_path, capsys):
    out = tmp_path / "nas_bench_201.csv.gz"
    main(["convert", "--source", str(whole), "--out", str(out), "--trust-pickle"])
    assert capsys.readouterr().out == f"{out}: 15,625 cells\n"
    genotype, best = Benchmark.load(out).optimum("cifar10", "test")
    assert best == pytest.approx(94 + (0.777 + 0.888 + 0.999) / 3)
    assert Benchmark.load(out).query(genotype).index == 77
    header = pd.read_csv(io.BytesIO(gzip.decompress(out.read_bytes())), nrows=0)
    assert tuple(header.columns) == COLUMNS


def test_converting_twice_gives_the_same_bytes(whole, tmp_path):
    for name in ("first.csv.gz", "second.csv.gz"):
        convert(whole, tmp_path / name, trust_pickle=True)
    assert (tmp_path / "first.csv.gz").read_bytes() == (tmp_path / "second.csv.gz").read_bytes()


def test_command_without_trust_stops_and_leaves_nothing(whole, tmp_path):
    out = tmp_path / "table.csv.gz"
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", str(whole), "--out", str(out)])
    assert "--trust-pickle" in str(stop.value)
    assert not out.exists()


def test_incomplete_release_is_not_written(content, tmp_path):
    out = tmp_path / "table.csv.gz"
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", str(write_pth(content, tmp_path)), "--out", str(out), "--trust-pickle"])
    assert "expected 15,625 cells, found 3" in str(stop.value)
    assert not out.exists()


def test_table_that_cannot_be_written_stops_with_its_name(whole, tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "table.csv.gz"  # a file where a folder should be
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", str(whole), "--out", str(out), "--trust-pickle"])
    assert str(out.parent) in str(stop.value)
