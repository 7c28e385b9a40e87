"""drnas_lib.benchmark.convert and check on small releases that the official packages' own classes make."""

import copy
import gzip
import io
import os

import nas_201_api
import nats_bench
import pandas as pd
import pytest

from drnas_lib.benchmark.__main__ import differences, main, verdict
from drnas_lib.benchmark.convert import MEASURED, rows
from drnas_lib.benchmark.table import ACCURACY_COLUMNS, COLUMNS, Benchmark
from drnas_lib.errors import DamagedData
from drnas_lib.genotype import all_nb201
from tests import official
from tests.official import SEEDS, accuracy, write_file, write_folder, write_pth

ARCHS = [str(genotype) for genotype in list(all_nb201())[5000::4000]]  # three cells
FORMS = {"pth": (nas_201_api, write_pth), "folder": (nats_bench, write_folder), "file": (nats_bench, write_file)}
EACH_FORM = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def made() -> dict:
    """The contents by package, made once: a trial has hundreds of epochs."""
    return {package: official.content(ARCHS, package) for package in (nas_201_api, nats_bench)}


@pytest.fixture
def released(made, tmp_path):
    """A small release in a form, `change`d before it is written."""

    def write(form: str, change=lambda content: None):
        package, write = FORMS[form]
        content = copy.deepcopy(made[package])
        change(content)
        return write(content, tmp_path)

    return write


def test_columns_are_those_of_the_table():
    assert tuple(MEASURED) == ACCURACY_COLUMNS


@EACH_FORM
def test_each_column_is_the_mean_over_seeds_of_the_last_epoch(released, form):
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
    found = list(rows(released(form), trust_pickle=True))
    assert [(row["index"], row["arch"]) for row in found] == list(enumerate(ARCHS))
    for cell, row in enumerate(found):
        assert tuple(row) == COLUMNS
        for column, measured in expected.items():
            of_seeds = [accuracy(cell, *measured, seed) for seed in SEEDS[measured[0]]]
            assert row[column] == pytest.approx(sum(of_seeds) / len(of_seeds), abs=5.1e-5), column


def test_all_forms_of_the_same_results_give_the_same_rows(released):
    first, *others = [list(rows(released(form), trust_pickle=True)) for form in FORMS]
    assert others == [first, first]


@EACH_FORM
def test_only_the_seeds_that_were_trained_count(released, form):
    def one_seed(content):
        full = content["arch2infos"][1]["full"]
        full["dataset_seed"]["cifar10"] = [888]
        for seed in (777, 999):
            del full["all_results"]["cifar10", seed]

    row = list(rows(released(form, one_seed), trust_pickle=True))[1]
    assert row["cifar10_test"] == pytest.approx(accuracy(1, 200, "cifar10", "ori-test", 888))


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@EACH_FORM
def test_pickles_are_not_opened_without_trust(released, tmp_path, form):
    trace = tmp_path / "opened"
    source = released(form, lambda content: content["meta_archs"].append(Bomb(trace)))
    with pytest.raises(DamagedData, match="runs whatever code it contains.*--trust-pickle"):
        list(rows(source, trust_pickle=False))
    assert not trace.exists()
    with pytest.raises(DamagedData):  # of an architecture that is none
        list(rows(source, trust_pickle=True))
    assert trace.exists(), "the code is there, and runs for those who vouch for the file"


@EACH_FORM
def test_first_release_without_short_runs_is_refused_with_advice(released, form):
    source = released(form, lambda content: content["arch2infos"][2]["less"]["dataset_seed"].pop("cifar100"))
    with pytest.raises(DamagedData, match="cell 2 .*'cifar100'.*v1.0, lacks trials: take v1.1 or NATS-Bench"):
        list(rows(source, trust_pickle=True))


@EACH_FORM
def test_unevaluated_last_epoch_is_refused(released, form):
    def shorten(content):
        del content["arch2infos"][0]["full"]["all_results"]["cifar100", 888]["eval_acc1es"]["x-test@199"]

    with pytest.raises(DamagedData, match="cell 0 .*'test-accuracy'"):
        list(rows(released(form, shorten), trust_pickle=True))


@pytest.mark.parametrize("key", ["meta_archs", "arch2infos"])
def test_another_layout_is_refused(made, tmp_path, key):
    content = {name: value for name, value in made[nas_201_api].items() if name != key}
    with pytest.raises(DamagedData, match=f"nas.pth: its package does not find.*'{key}'"):
        list(rows(write_pth(content, tmp_path), trust_pickle=True))


def test_missing_cell_file_is_named(released):
    folder = released("folder")
    (folder / "000001.pickle.pbz2").unlink()
    with pytest.raises(DamagedData, match="cell 1 .*invalid data path.*Unpack the whole archive"):
        list(rows(folder, trust_pickle=True))


@EACH_FORM
def test_damaged_files_are_named(released, form):
    source = released(form)
    file = source / "000002.pickle.pbz2" if form == "folder" else source
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DamagedData, match=f"{'cell 2' if form == 'folder' else source.name}.*: damaged or not there"):
        list(rows(source, trust_pickle=True))


@pytest.mark.parametrize(("name", "message"), [("absent.pth", "does not exist"), ("table.csv", "cannot be read here"), (".", "cannot be")])
def test_wrong_source_is_refused(tmp_path, name, message):
    (tmp_path / "table.csv").touch()
    with pytest.raises(DamagedData, match=f"{message}.*expected the NATS-Bench topology folder"):
        list(rows(tmp_path / name, trust_pickle=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A release of all 15,625 cells, in another order than ours; but for one they share their results, so it is small."""
    archs = [str(genotype) for genotype in all_nb201()][::-1]
    states = {epochs: official.results(nats_bench, 0, archs[0], epochs, brief=True) for epochs in SEEDS}
    best = copy.deepcopy(states)
    best[200]["all_results"]["cifar10", 777]["eval_acc1es"]["ori-test@199"] = 94.5
    release = official.content(archs, of_cell=lambda cell, arch, epochs: (best if cell == 77 else states)[epochs])
    return write_file(release, tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def converted(whole, tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / "nas_bench_201.csv.gz"
    main(["convert", "--source", str(whole), "--out", str(out), "--trust-pickle"])
    return out


def test_command_writes_a_table_that_loads(converted):
    genotype, best = Benchmark.load(converted).optimum("cifar10", "test")
    assert best == 94.5
    assert Benchmark.load(converted).frame.at[str(genotype), "index"] == 77
    header = pd.read_csv(io.BytesIO(gzip.decompress(converted.read_bytes())), nrows=0)
    assert tuple(header.columns) == COLUMNS


@pytest.fixture
def read_again(converted, monkeypatch):
    """The official files need not be read once more: here are their rows."""
    table = pd.read_csv(converted).to_dict("records")
    monkeypatch.setattr("drnas_lib.benchmark.__main__.rows", lambda source, trust_pickle: iter(table))


def test_converting_twice_gives_the_same_bytes(converted, read_again, tmp_path, capsys):
    out = tmp_path / "again.csv.gz"
    main(["convert", "--source", "official.pth", "--out", str(out)])
    said = capsys.readouterr()
    assert said.out == f"{out}: 15,625 cells\n" and said.err.endswith("15,000 cells read\n")
    assert out.read_bytes() == converted.read_bytes()


def test_command_without_trust_stops_and_leaves_nothing(whole, tmp_path):
    out = tmp_path / "table.csv.gz"
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", str(whole), "--out", str(out)])
    assert "--trust-pickle" in str(stop.value)
    assert not out.exists()


def test_incomplete_release_is_not_written(released, tmp_path):
    out = tmp_path / "table.csv.gz"
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", str(released("folder")), "--out", str(out), "--trust-pickle"])
    assert "expected each of the 15,625 cells once, found 3 rows" in str(stop.value)
    assert not out.exists()


def test_table_that_cannot_be_written_stops_with_its_name(read_again, tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "table.csv.gz"  # a file where a folder should be
    with pytest.raises(SystemExit) as stop:
        main(["convert", "--source", "official.pth", "--out", str(out)])
    assert str(out.parent) in str(stop.value)


def test_check_says_that_table_and_official_file_agree(whole, converted, capsys):
    main(["check", "--source", str(whole), "--table", str(converted), "--trust-pickle"])
    assert capsys.readouterr().out == f"{converted} against {whole}: All 15,625 cells agree. The largest difference is 0.0000.\n"


def test_check_ends_with_the_largest_difference_and_the_first_cells(converted, read_again, tmp_path):
    frame = pd.read_csv(converted)
    frame.loc[7:12, "cifar100_test"] += 0.25
    frame.loc[12000, "cifar10_valid_12"] += 3.5
    frame.loc[13000, "cifar10_valid"] += 1e-4  # the last decimal: rounding
    other = tmp_path / "other.csv.gz"
    frame.to_csv(other, index=False)
    with pytest.raises(SystemExit) as stop:
        main(["check", "--source", "official.pth", "--table", str(other)])
    said = str(stop.value)
    assert "7 of 15,625 cells differ. The largest difference is 3.5000, in cifar10_valid_12 of " + frame.arch[12000] in said
    assert [line.split()[0] for line in said.splitlines()[1:6]] == list(frame.arch[7:12])
    assert said.endswith("and 2 more cells")
    before = Benchmark.load(converted).frame["cifar100_test"][frame.arch[7]]
    assert f"{frame.arch[7]} cifar100_test: {before + 0.25:.10g}, officially {before:.10g}" in said


def test_differences_do_not_depend_on_the_order_of_the_cells(converted):
    frame = pd.read_csv(converted).set_index("arch")
    found = differences(frame.sample(frac=1, random_state=0), frame)
    assert verdict(found) == (True, "All 15,625 cells agree. The largest difference is 0.0000.")
    swapped = frame.assign(index=frame["index"].where(frame["index"] > 1, 1 - frame["index"]))
    agree, said = verdict(differences(swapped, frame))
    assert not agree and f"2 of 15,625 cells differ. The largest difference is 1.0000, in index of {frame.index[0]}" in said
