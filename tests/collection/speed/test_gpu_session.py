"""speed.gpu_session: a dry run goes through every part; results are kept, failures are named and tried again."""

import pytest
import torch

from drnas_lib.collection.speed import gpu_session
from drnas_lib.collection.speed.gpu_session import NO_GRAPHS, PARTS, Session, main
from drnas_lib.config.method_presets import METHODS
from drnas_lib.runs.files import read_json


def test_a_dry_run_leaves_a_record_of_every_part(tmp_path, capsys):
    assert main(["--dry-run", "--out", str(tmp_path)]) == 0
    records = {name: read_json(tmp_path / f"{name}.json") for name in PARTS}
    for record in records.values():
        assert record["device"].startswith("CPU") and record["environment"]["packages"]["torch"] and record["seconds"] > 0
    found = {name: record["found"] for name, record in records.items()}
    pairs = [f"{space}, {kind}" for space in ("nb201", "darts") for kind in ("float64", "float32")]
    assert found["equality"] == dict.fromkeys(pairs, 0.0), "a CPU equals itself"
    assert {row["method"] for row in found["captures"]} == set(METHODS) and {row["because"] for row in found["captures"]} == {NO_GRAPHS}
    assert [row["implementation"] for row in found["memory_formats"]] == ["channels first", "channels last"]
    assert [row["implementation"] for row in found["step_times"]] == ["plain", "eager"] * 2 + ["captured"]
    assert found["step_times"][-1]["skipped"] == NO_GRAPHS and all(row["step_ms"] > 0 for row in found["step_times"][:-1])
    assert [row["epoch"] for row in found["search"]["epochs"]] == [1, 2] and len(capsys.readouterr().out.splitlines()) == len(PARTS)
    assert main(["--dry-run", "--out", str(tmp_path)]) == 0 and capsys.readouterr().out == "", "there is nothing left to do"


def test_a_part_that_fails_does_not_stop_the_others_and_is_tried_again(tmp_path, monkeypatch, capsys):
    outcomes = iter([ZeroDivisionError("no luck"), "luck"])

    def luck(session):
        if isinstance(outcome := next(outcomes), Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(gpu_session, "PARTS", {"luck": luck, "work": lambda session: 7})
    dry_run = ["--dry-run", "--out", str(tmp_path)]
    assert main(dry_run) == 1 and "ZeroDivisionError: no luck" in capsys.readouterr().out
    assert "luck" in read_json(tmp_path / "luck.json")["traceback"] and read_json(tmp_path / "work.json")["found"] == 7
    assert main(dry_run) == 0 and read_json(tmp_path / "luck.json")["found"] == "luck"


def test_a_search_stops_when_the_time_is_over_and_a_later_session_continues_it(tmp_path, monkeypatch):
    over = iter([False] * 3 + [True])  # two steps make an epoch, which ends then
    monkeypatch.setattr(Session, "is_over", lambda session: next(over))
    assert len(gpu_session.search(Session.tiny(tmp_path, 0.0))["epochs"]) == 1
    monkeypatch.setattr(Session, "is_over", lambda session: False)
    found = gpu_session.search(Session.tiny(tmp_path, 0.0))
    assert [row["epoch"] for row in found["epochs"]] == [1, 2] and found["of"] == 2


def test_without_time_every_part_says_so(tmp_path, capsys):
    assert main(["--dry-run", "--minutes", "-1", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("no time was left; give more --minutes") == len(PARTS)


@pytest.mark.parametrize("difference", [0.1, float("nan")])
def test_a_gpu_that_computes_something_else_is_a_failure(tmp_path, monkeypatch, difference):
    results = iter([[torch.ones(2)], [torch.ones(2) + difference]])
    monkeypatch.setattr(gpu_session, "COMPARED", {"float64": (lambda config, device: next(results), 1e-8)})
    with pytest.raises(ArithmeticError, match="nb201, float64: GPU and CPU differ by"):
        gpu_session.equality(Session.tiny(tmp_path, 0.0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")
def test_without_a_gpu_one_error_says_what_to_do(tmp_path, capsys):
    assert main(["--out", str(tmp_path)]) == 2
    assert "0 CUDA devices" in (error := capsys.readouterr().err) and "--dry-run" in error and not list(tmp_path.iterdir())
