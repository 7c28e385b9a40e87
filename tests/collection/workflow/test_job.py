"""Jobs of the Snakefile: what failed or was killed is never taken for done, and no two jobs share a notebook or a GPU."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from drnas_lib.collection.workflow import job
from drnas_lib.runs.files import PROJECT

SEARCH, READER = str(PROJECT / "notebooks" / "search.ipynb"), str(PROJECT / "notebooks" / "darts_space.ipynb")


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """Two GPUs on a machine of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.delenv(job.SCHEDULER, raising=False)
    monkeypatch.setattr(job, "PATIENCE_S", 0.01)


def notebook_of(path, *sources):
    """A notebook of these cells, the first tagged `parameters`."""
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]} if not number else {}) for number, source in enumerate(sources)]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return str(path)


def started(*arguments):
    return subprocess.Popen([sys.executable, "-m", "drnas_lib.collection.workflow.job", *map(str, arguments)], cwd=PROJECT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def until(condition, seconds=60):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)


def test_parameters_as_papermill_reads_them(tmp_path):
    (tmp_path / "a.yaml").write_text("seed: 1\ndevice: cpu\n")
    assert job.parameters(["-f", str(tmp_path / "a.yaml"), "-p", "seed", "3", "-k", "python3"]) == {"seed": 3, "device": "cpu"}


@pytest.mark.parametrize(
    ("notebook", "values", "wanted"),
    [(SEARCH, {}, 1), (SEARCH, {"device": "cpu"}, 0), (SEARCH, {"processes": 4}, 4), (READER, {}, 0)],
)
def test_what_computes_wants_a_gpu(notebook, values, wanted):
    assert job.gpus_wanted(notebook, values) == wanted


@pytest.mark.parametrize(("named", "there"), [("2, 5", ["2", "5"]), ("", []), ("-1", []), ("3,-1,4", ["3"])])
def test_gpus_are_those_that_cuda_sees(monkeypatch, named, there):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert job.gpus_here() == there


def test_no_gpu_is_claimed_twice(gpus):
    with job.claimed(1) as one, job.claimed(1) as other, job.claimed(0) as none:
        assert (one, other, none) == (["2"], ["5"], [])
    with job.claimed(3) as all_there_are:
        assert all_there_are == ["2", "5"]


def test_a_job_waits_for_a_gpu_and_holds_none_meanwhile(gpus, capsys):
    got = []

    def take_two():
        with job.claimed(2) as mine:
            got.append(mine)

    with job.claimed(1) as one:
        waiting = threading.Thread(target=take_two)
        waiting.start()
        until(lambda: "Waiting for 2 of the GPUs 2, 5" in capsys.readouterr().out)
        with job.claimed(1) as other:
            assert (one, other, got) == (["2"], ["5"], [])
    waiting.join(10)
    assert got == [["2", "5"]]


def test_a_scheduler_has_shared_the_gpus_out(gpus, monkeypatch):
    monkeypatch.setenv(job.SCHEDULER, "7")
    with job.claimed(1) as mine:
        assert mine == []


def test_a_failed_notebook_does_not_get_its_name(tmp_path):
    fails = notebook_of(tmp_path / "fails.ipynb", "seed: int = 0", "assert seed == 1")
    out = tmp_path / "out.ipynb"
    with pytest.raises(SystemExit, match=r"fails.ipynb: AssertionError: \n.*running/out.ipynb"):
        job.main([fails, str(out)])
    assert not out.exists() and "AssertionError" in (tmp_path / "running" / "out.ipynb").read_text()
    job.main([fails, str(out), "-p", "seed", "1"])
    assert out.exists() and not (tmp_path / "running" / "out.ipynb").exists()


def test_a_killed_job_is_not_done_and_its_successor_waits_for_nobody(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out.ipynb"
    says = f"import os, time\nopen({str(log)!r}, 'a').write(f'{{os.getpid()}}\\n')"
    slow = notebook_of(tmp_path / "slow.ipynb", "wait: float = 0.1", says, "time.sleep(wait)")
    killed = started(slow, out, "-p", "wait", 60)
    until(lambda: log.exists() and log.read_text().strip())
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not out.exists()
    kernel = int(log.read_text())
    until(lambda: not os.path.exists(f"/proc/{kernel}"), 20)  # it notices that papermill has gone
    again = started(slow, out)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0 and out.exists() and "Waiting" not in said


def test_a_stopped_job_says_that_it_goes_on(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out.ipynb"
    slow = notebook_of(tmp_path / "slow.ipynb", "seed: int = 0", f"open({str(log)!r}, 'w').close()\nimport time\ntime.sleep(60)")
    stopped = started(slow, out)
    until(log.exists)
    stopped.send_signal(signal.SIGINT)
    said, _ = stopped.communicate(timeout=600)
    assert stopped.returncode == 1 and said.endswith("was stopped. The same command goes on.\n")
    assert "Abort" not in said and not out.exists()


def test_two_jobs_of_one_notebook_make_it_once(tmp_path):
    log, go, out = tmp_path / "log", tmp_path / "go", tmp_path / "out.ipynb"
    source = f"import os, time\nopen({str(log)!r}, 'a').write('once ')"
    slow = notebook_of(tmp_path / "slow.ipynb", "seed: int = 0", source, f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.05)")
    first = started(slow, out)
    until(log.exists)
    second = started(slow, out)
    assert second.stdout.readline().startswith("Waiting for another process")
    go.touch()
    said, _ = second.communicate(timeout=600)
    first.communicate(timeout=600)
    assert (first.returncode, second.returncode, log.read_text()) == (0, 0, "once ") and "was made meanwhile" in said
