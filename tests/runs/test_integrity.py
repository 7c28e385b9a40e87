"""drnas_lib.runs.integrity: what was written comes back, what was changed is refused, what has no seal is taken."""

import json

import pytest

from drnas_lib.runs import integrity
from drnas_lib.runs.files import RecordError, RunFolder, read_json, write_csv, write_json

CONTENT = {"parameters": {"lr": 0.1, "stages": (1, 2), "subset": None}, "metrics": {"error": 2.46}}


@pytest.fixture
def sealed(tmp_path):
    write_csv(tmp_path / "history.csv", [{"epoch": 1, "loss": 0.5}])
    integrity.write(tmp_path / "record.json", CONTENT, beside=("history.csv",))
    return RunFolder(tmp_path)


def test_it_comes_back_and_is_a_table_beside(sealed):
    record = integrity.record(sealed)
    assert record["parameters"] == {"lr": 0.1, "stages": [1, 2], "subset": None} and record["metrics"] == CONTENT["metrics"]
    assert integrity.table(sealed.file("history.csv"), record).loss.tolist() == [0.5]


def test_a_record_that_is_written_again_keeps_the_seals_of_its_files(sealed):
    record = integrity.record(sealed)
    integrity.write(sealed.file("record.json"), record | {"evaluation": {}})
    assert integrity.record(sealed)["sha256_of"] == record["sha256_of"] and integrity.record(sealed)["evaluation"] == {}


@pytest.mark.parametrize(("old", "new"), [("2.46", "2.47"), ('"sha256"', '"sha25v"'), ('"subset": null', '"subset": 1')])
def test_a_change_is_refused(sealed, old, new):
    path = sealed.file("record.json")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(RecordError, match="record.json is not as it was written.*rerun=True"):
        integrity.record(sealed)


def test_another_layout_is_no_change(sealed):
    path = sealed.file("record.json")
    path.write_text(json.dumps(read_json(path)))
    assert integrity.record(sealed)["metrics"] == CONTENT["metrics"]


def test_a_changed_file_beside_is_refused(sealed):
    sealed.file("history.csv").write_text("epoch,loss\n1,0.6\n")
    with pytest.raises(RecordError, match="history.csv is not what this run wrote"):
        integrity.table(sealed.file("history.csv"), integrity.record(sealed))


def test_a_record_of_before_is_taken_as_it_is(tmp_path):
    write_json(tmp_path / "record.json", CONTENT)
    assert integrity.record(RunFolder(tmp_path))["metrics"] == CONTENT["metrics"]


@pytest.mark.parametrize("content", [[1], {"parameters": 3}, {}])
def test_what_is_no_record_is_refused(tmp_path, content):
    write_json(tmp_path / "record.json", content)
    with pytest.raises(RecordError, match="record.json"):
        integrity.record(RunFolder(tmp_path))
