"""drnas_lib.runs.files: whole files or none, one process per run folder, and the facts beside a result."""

import csv
import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from drnas_lib.runs import files
from drnas_lib.runs.files import (
    PROJECT,
    RecordError,
    RunFolder,
    RunLocked,
    atomic_write,
    data_root,
    environment,
    read_json,
    resolve,
    write_csv,
    write_json,
)

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
HOLD = """
import sys
from drnas_lib.runs.files import RunFolder
with RunFolder(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""
KILLED_WRITER = """
import os, signal, sys
from drnas_lib.runs import files
files.os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.atomic_write(sys.argv[1], "half of something new")
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the run folder `tmp_path` until its input closes."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("start", ["notebooks", "."], ids=["as JupyterLab", "as papermill"])
def test_relative_paths_mean_the_project_root(start, monkeypatch):
    monkeypatch.chdir(PROJECT / start)
    assert resolve("results/search") == PROJECT / "results" / "search"
    assert (PROJECT / "pyproject.toml").is_file()


def test_absolute_and_home_paths_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve(tmp_path / "x") == tmp_path / "x"
    assert resolve("~/x") == tmp_path / "x"


@pytest.mark.parametrize(("value", "root"), [(None, "data"), ("", "data"), ("../elsewhere", "../elsewhere")])
def test_the_data_root_is_in_the_project_unless_the_environment_says_otherwise(value, root, monkeypatch):
    monkeypatch.delenv("DRNAS_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("DRNAS_DATA", value)
    assert data_root() == PROJECT / root


def test_a_written_file_has_exactly_the_content_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new folder" / "file"
    for content in (b"\x00\r\n bytes", "text ü\n"):
        atomic_write(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_the_old_file_and_says_what_to_do(code, tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})

    def full(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError) as error:
        write_json(path, {"a": 2})
    assert str(path) in str(error.value) and "free some space" in str(error.value)
    assert read_json(path) == {"a": 1} and os.listdir(tmp_path) == ["record.json"]


def _open_full(really_open, path, mode):
    return really_open("/dev/full", mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_really_full(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    write_csv(path, [{"a": 1}])
    monkeypatch.setattr(files, "open", functools.partial(_open_full, open), raising=False)
    with pytest.raises(RecordError, match="disk is full"):
        write_csv(path, [{"a": 2}])
    assert path.read_text() == "a\n1\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(RecordError, match="results"):
        atomic_write(tmp_path / "results" / "record.json", "{}")


def test_a_writer_killed_before_the_end_leaves_the_old_file_and_the_next_holder_clears_up(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("old")
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], cwd=PROJECT)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old" and len(list(tmp_path.glob("*.tmp"))) == 1
    with RunFolder(tmp_path).lock():
        assert not list(tmp_path.glob("*.tmp"))
    assert path.read_text() == "old"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32(1), {1, 2}])
def test_what_json_lacks_is_refused_with_the_name_of_the_file(value, tmp_path):
    with pytest.raises(RecordError, match="record.json"):
        write_json(tmp_path / "record.json", {"a": value})
    assert not (tmp_path / "record.json").exists()


def test_json_comes_back_and_a_missing_or_damaged_file_is_named(tmp_path):
    value = {"a": [1, 2.5, None, True], "b": {"c": "ü"}, "tiny": 5e-324}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
    (tmp_path / "half.json").write_text('{"a": [1, 2')
    for name, said in (("half.json", "rerun=True"), ("none.json", "there is no such file")):
        with pytest.raises(RecordError, match=f"{name}.*{said}"):
            read_json(tmp_path / name)


def test_a_run_that_is_not_done_is_told_from_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RecordError, match="there is no folder .*nothing. Name the folder of one seed, like results/search/NAME/seed0"):
        RunFolder(tmp_path / "nothing").must_be_done("search")
    folder = RunFolder(tmp_path)
    with pytest.raises(RecordError, match="holds no finished training .*Name the folder of one seed"):
        folder.must_be_done("training")
    folder.finish({})
    folder.must_be_done("search")


def test_floats_in_a_csv_keep_every_bit(tmp_path):
    values = [0.1 + 0.2, 1 / 3, 5e-324, -1.7976931348623157e308, float(np.nextafter(1, 2))]
    write_csv(tmp_path / "x.csv", [{"epoch": i, "value": value, "cell": "|none~0|", "peak": None} for i, value in enumerate(values)])
    with open(tmp_path / "x.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == values
    assert [(row["epoch"], row["cell"], row["peak"]) for row in rows[:2]] == [("0", "|none~0|", ""), ("1", "|none~0|", "")]


def test_rows_with_other_keys_are_refused(tmp_path):
    with pytest.raises(ValueError, match="b"):
        write_csv(tmp_path / "x.csv", [{"a": 1}, {"a": 1, "b": 2}])


def test_a_second_process_is_refused_and_told_who_holds_the_folder(tmp_path, holder):
    with pytest.raises(RunLocked, match=rf"process {holder.pid} on .* `name`"), RunFolder(tmp_path).lock():
        pass
    holder.stdin.close()
    holder.wait()
    with RunFolder(tmp_path).lock():
        pass


def test_who_waits_is_told_and_gets_the_folder_when_it_is_free(tmp_path, holder, capsys):
    threading.Timer(0.3, holder.stdin.close).start()
    with RunFolder(tmp_path).lock(wait=True):
        assert f"Waiting for process {holder.pid} on" in capsys.readouterr().out


def test_killing_the_holder_frees_the_folder(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with RunFolder(tmp_path).lock(), pytest.raises(RunLocked, match=f"process {os.getpid()} on"), RunFolder(tmp_path).lock():
        pass


def test_the_lock_is_free_after_an_error_inside(tmp_path):
    with pytest.raises(KeyError), RunFolder(tmp_path).lock():
        raise KeyError
    with RunFolder(tmp_path).lock():
        pass


def test_a_folder_that_cannot_be_locked_is_named(tmp_path):
    (tmp_path / "seed0").write_text("a file where a folder should be")
    with pytest.raises(RecordError, match="seed0"), RunFolder(tmp_path / "seed0").lock():
        pass


def test_done_is_what_finish_writes_and_clear_removes_first(tmp_path):
    run = RunFolder(tmp_path / "stem" / "seed0")
    assert not run.done
    write_csv(run.file("history.csv"), [{"a": 1}])
    atomic_write(run.file("checkpoint-00001"), b"x")
    run.finish({"fingerprint": "f"})
    run.file("notes.txt").write_text("mine")
    assert run.done and read_json(run.file("done.json")) == {"fingerprint": "f"}
    with run.lock():
        run.clear()
        with pytest.raises(RunLocked, match=f"process {os.getpid()}"), RunFolder(run.path).lock():
            pass
    assert not run.done and {path.name for path in run.path.iterdir()} <= {"notes.txt", "run.lock"}


@needs_git
def test_the_environment_names_machine_versions_and_commit():
    facts = json.loads(json.dumps(environment()))
    assert facts["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert facts["packages"]["torch"] and facts["packages"]["numpy"] == np.__version__
    assert facts["cpu"] and facts["cpu_cores"] >= 1 and facts["time_utc"].endswith("+00:00")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True)
    assert facts["commit"] == (head.stdout.strip() or None)


@needs_git
@pytest.mark.parametrize(
    ("changed", "dirty"), [("drnas_lib/new.py", True), ("notebooks/search.ipynb", True), ("results/record.json", False), (None, False)]
)
def test_uncommitted_changes_are_those_that_a_result_depends_on(changed, dirty, tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("drnas_lib/a.py", "notebooks/search.ipynb", "pyproject.toml", "constraints.txt", "results/record.json"):
        atomic_write(tmp_path / name, "committed")
    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    if changed:
        atomic_write(tmp_path / changed, "changed")
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    assert environment()["uncommitted_changes"] is dirty


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PROJECT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment()["commit"] is None
    monkeypatch.setenv("PATH", "")
    assert environment()["commit"] is None
