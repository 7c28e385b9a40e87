"""Tests of drnas_lib.benchmark.table: published answers on the real table, every way to be wrong on a made-up one."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drnas_lib.benchmark.table import (
    ACCURACY_COLUMNS,
    COLUMNS,
    DATASETS,
    FILE_NAME,
    SPLITS,
    Benchmark,
    Standing,
    how_to_get,
)
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.genotype import Nb201Genotype, all_nb201
from drnas_lib.runs.files import data_root

DRNAS = Nb201Genotype.parse("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|")
ALL_SKIP = Nb201Genotype(("skip_connect",) * 6)
SKIP_WITHOUT_MIDDLE = Nb201Genotype(("skip_connect", "skip_connect", "none", *("skip_connect",) * 3))
GDAS_IMAGENET16 = Nb201Genotype.parse("|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|")


@pytest.fixture(scope="module")
def real() -> Benchmark:
    if not (data_root() / FILE_NAME).is_file():
        pytest.skip(f"no {FILE_NAME} in the data root; DRNAS_DATA names the root")
    return Benchmark.load()


@pytest.fixture
def frame() -> pd.DataFrame:
    """A sound table of random accuracies, the cells in an order of their own."""
    random = np.random.default_rng(0)
    archs = random.permutation([str(genotype) for genotype in all_nb201()])
    accuracies = {column: random.uniform(10, 90, len(archs)).round(4) for column in ACCURACY_COLUMNS}
    return pd.DataFrame({"index": range(len(archs)), "arch": archs} | accuracies)


def rounded(genotype, benchmark) -> list[str]:
    return [f"{benchmark.accuracy(genotype, dataset, split):.2f}" for dataset in DATASETS for split in ("valid", "test")]


@pytest.mark.parametrize(
    ("genotype", "index", "published"),
    [  # the rows of Table 4 whose cell is known
        (DRNAS, 9930, ["91.55", "94.36", "73.49", "73.51", "46.37", "46.34"]),
        (ALL_SKIP, 1835, ["39.77", "54.30", "15.03", "15.61", "16.43", "16.32"]),
        (SKIP_WITHOUT_MIDDLE, 2299, ["68.29", "70.92", "38.57", "38.97", "18.87", "18.41"]),
    ],
)
def test_published_cells(real, genotype, index, published):
    assert rounded(genotype, real) == published
    assert real.frame.at[str(genotype), "index"] == index


def test_gdas_on_imagenet16(real):
    assert rounded(GDAS_IMAGENET16, real)[4:] == ["40.66", "41.02"]


@pytest.mark.parametrize(
    ("dataset", "split", "published"),
    [
        ("cifar10", "valid", "91.61"),
        ("cifar10", "test", "94.37"),
        ("cifar100", "valid", "73.49"),
        ("cifar100", "test", "73.51"),
        ("imagenet16-120", "valid", "46.73"),  # the paper prints 46.77, the value of the first release
        ("imagenet16-120", "test", "47.31"),
    ],
)
def test_optimum_row_of_table_4(real, dataset, split, published):
    genotype, accuracy = real.optimum(dataset, split)
    assert f"{accuracy:.2f}" == published
    assert real.accuracy(genotype, dataset, split) == accuracy


def test_the_drnas_cell_is_the_optimum_on_cifar100(real):
    assert real.optimum("cifar100", "valid")[0] == real.optimum("cifar100", "test")[0] == DRNAS


def test_loading_takes_less_than_a_second(real):
    start = time.process_time()
    Benchmark.load()
    assert time.process_time() - start < 1.0


def test_every_cell_is_answered_with_its_own_row(frame):
    benchmark = Benchmark(frame)
    for row in frame.iloc[::97].to_dict("records"):
        genotype = Nb201Genotype.parse(row["arch"])
        assert benchmark.frame.loc[[str(genotype)]].to_dict("records")[0] == {column: row[column] for column in COLUMNS if column != "arch"}
        for dataset in DATASETS:
            for split in SPLITS:
                assert benchmark.accuracy(genotype, dataset, split) == row[f"{dataset}_{split}"]


def test_optimum_is_the_first_of_equal_cells(frame):
    frame.loc[[7000, 30, 900], "cifar10_test"] = 99.0
    genotype, accuracy = Benchmark(frame).optimum("cifar10", "test")
    assert (str(genotype), accuracy) == (frame.at[30, "arch"], 99.0)


def test_default_table_is_the_one_in_the_data_root(frame, tmp_path, monkeypatch):
    monkeypatch.setenv("DRNAS_DATA", str(tmp_path))
    with pytest.raises(MissingData):
        Benchmark.load()
    assert Benchmark.load_if_available() == (None, how_to_get(tmp_path / FILE_NAME))
    frame.to_csv(tmp_path / FILE_NAME, index=False)
    pd.testing.assert_frame_equal(Benchmark.load().frame, frame.set_index("arch"))


def test_missing_table_says_where_what_and_how(tmp_path):
    path = tmp_path / "absent.csv.gz"
    with pytest.raises(MissingData) as error:
        Benchmark.load(path)
    command = f"python -m drnas_lib.benchmark convert --source NATS-tss-v1_0-3ffb9-simple --out {path} --trust-pickle"
    for part in (f"no NAS-Bench-201 table at {path}", "https://github.com/D-X-Y/NATS-Bench", command, "minutes", "GB of memory"):
        assert part in str(error.value)
    assert str(error.value) == how_to_get(path)


def test_the_rank_is_that_of_sorting(frame):
    benchmark = Benchmark(frame)
    ordered = frame.sort_values("cifar100_test", ascending=False, ignore_index=True)
    for place in (0, 1, 500, 15_624):
        accuracy = ordered.cifar100_test[place]
        first = (ordered.cifar100_test > accuracy).sum()
        standing = benchmark.standing(accuracy, "cifar100", "test")
        assert standing.rank == first + 1 and standing.best_pct == ordered.cifar100_test[0]
        assert standing.below_pct == pytest.approx(100 * (ordered.cifar100_test < accuracy).sum() / 15_625)


def test_equal_cells_share_the_best_rank_and_none_is_below_another(frame):
    frame.loc[:9, "cifar10_test"] = 95.0
    frame.loc[0, "cifar10_test"] = 96.0
    benchmark = Benchmark(frame)
    ranks, below = benchmark.ranks([96.0, 95.0, 95.0, frame.cifar10_test[10:].max()], "cifar10", "test")
    assert list(ranks) == [1, 2, 2, 11]
    assert below[0] == 100 * 15_624 / 15_625 and below[1] == below[2] == 100 * 15_615 / 15_625


def test_a_standing_says_accuracy_rank_share_and_best(frame):
    frame.loc[[1, 2, 3], "cifar10_test"] = [94.368, 93.7633, 92.0]
    benchmark = Benchmark(frame)
    assert (
        str(benchmark.standing(93.7633, "cifar10", "test")) == "93.76 %: rank 2, better than 99.9 % of all cells; the best cell has 94.37 %"
    )
    several = benchmark.median_standing([93.7633, 92.0, float("nan")], "cifar10", "test")
    assert (several.rank, several.short) == (2.5, "2.5 (99.9 %)") and several.accuracy_pct == pytest.approx((93.7633 + 92) / 2)
    assert benchmark.median_standing([], "cifar10", "test") is benchmark.median_standing([90.0], "digits", "test") is None


def test_a_standing_comes_back_from_a_record(frame):
    standing = Benchmark(frame).standing(50.0, "cifar10", "valid")
    record = standing.to_record("cifar10_valid")
    assert list(record) == ["cifar10_valid_acc_pct", "cifar10_valid_rank", "cifar10_valid_below_pct", "optimum_cifar10_valid_acc_pct"]
    assert Standing.from_record(record | {"kind": "table"}, "cifar10_valid") == standing
    del record["cifar10_valid_rank"]
    assert Standing.from_record(record, "cifar10_valid") is None


def test_the_drnas_cell_is_the_best_on_cifar100_and_stands_high_on_cifar10(real):
    assert real.standing(real.accuracy(DRNAS, "cifar100", "test"), "cifar100", "test").rank == 1
    standing = real.standing(real.accuracy(DRNAS, "cifar10", "test"), "cifar10", "test")
    better = (real.frame.cifar10_test > standing.accuracy_pct).sum()
    assert str(standing) == f"94.36 %: rank {better + 1}, better than 99.9 % of all cells; the best cell has 94.37 %"


def test_other_columns_are_refused(frame):
    with pytest.raises(DamagedData, match="missing: cifar10_test; not expected: c10"):
        Benchmark(frame.rename(columns={"cifar10_test": "c10"}))


def test_missing_rows_are_refused(frame):
    with pytest.raises(DamagedData, match="expected each of the 15,625 cells once, found 15,600 rows; missing, repeated or no cell is "):
        Benchmark(frame.iloc[25:])


def test_repeated_cell_is_refused_with_its_name(frame):
    lost, frame.loc[5, "arch"] = frame.at[5, "arch"], frame.at[4, "arch"]
    with pytest.raises(DamagedData) as error:
        Benchmark(frame)
    assert str(error.value).endswith(("missing, repeated or no cell is " + lost, "missing, repeated or no cell is " + frame.at[4, "arch"]))


def test_unknown_cell_is_refused_with_what_is_wrong(frame):
    frame.loc[5, "arch"] = frame.at[5, "arch"].replace("~0", "_3~0", 1)
    with pytest.raises(DamagedData, match="no cell is"):
        Benchmark(frame)


def test_wrong_index_is_refused(frame):
    frame.loc[3, "index"] = 4
    with pytest.raises(DamagedData, match="column 'index' must hold each number from 0 to 15624 once"):
        Benchmark(frame)


@pytest.mark.parametrize("value", [100.5, -0.1, np.nan, np.inf])
def test_value_that_is_no_percentage_is_refused_with_its_place(frame, value):
    frame.loc[8, "cifar100_valid"] = value
    with pytest.raises(DamagedData) as error:
        Benchmark(frame)
    assert f"cifar100_valid of {frame.at[8, 'arch']}" in str(error.value)


def test_text_in_place_of_a_value_is_refused(frame):
    frame["cifar10_valid_12"] = frame["cifar10_valid_12"].astype(object)
    frame.loc[9, "cifar10_valid_12"] = "n/a!"
    with pytest.raises(DamagedData, match="is 'n/a!', not an accuracy"):
        Benchmark(frame)


@pytest.mark.parametrize("damage", ["truncated", "not gzip", "flipped", "empty"])
def test_damaged_file_is_refused(frame, tmp_path, damage):
    path = tmp_path / FILE_NAME
    frame.iloc[:100].to_csv(path, index=False)
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncated": content[:middle],
        "not gzip": b"not a gzip file",
        "flipped": content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :],
        "empty": b"",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(DamagedData, match="is damaged"):
        Benchmark.load(path)


def test_reading_the_table_imports_no_torch():
    script = "import sys, drnas_lib.benchmark.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False).returncode == 0
