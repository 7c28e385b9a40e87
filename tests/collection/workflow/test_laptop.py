"""drnas_lib.collection.workflow.laptop: the list of jobs, the line of progress, and the whole at the smoke scale, stopped and continued."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from drnas_lib.collection.workflow.campaign import Plan, jobs
from drnas_lib.collection.workflow.laptop import Progress, listing, made, main, plan_of
from drnas_lib.runs.records import PROJECT

WITHOUT = importlib.util.find_spec("snakemake") is None
needs_snakemake = pytest.mark.skipif(WITHOUT, reason="Snakemake, an extra, is not here: make workflow")


def touch(path, when):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (when, when))


@pytest.fixture
def few(tmp_path):
    """Two searches, the study that reads them, and its report, of a minute each."""
    found = jobs(Plan(seeds=(0, 1), results=str(tmp_path)))
    wanted = [job for job in found if job.name.startswith("search_cifar10_drnas_released_seed")]
    study = replace(next(job for job in found if job.name == "hessian_cifar10_laptop"), after=tuple(job.out for job in wanted))
    report = replace(found[-1], after=(*study.after, study.out))
    return [replace(job, minutes=1.0) for job in (*wanted, study, report)]


def test_a_notebook_counts_while_it_is_newer_than_what_it_reads(few):
    one, other, study, report = (Path(job.out) for job in few)
    for path, when in ((one, 10), (study, 20), (report, 30)):
        touch(path, when)
    assert made(few) == {str(one)}  # the study lacks a search, and the report the study
    touch(other, 15)
    assert made(few) == {str(path) for path in (one, other, study, report)}
    touch(other, 25)
    assert made(few) == {str(one), str(other)}


def test_the_line_says_what_is_done_what_runs_and_how_long_the_rest_takes(few):
    one, other, *_ = few
    touch(Path(one.out), 10)
    progress = Progress(few, cores=2, began=100.0)
    assert progress.line(100.0) == "1 of 4 jobs done, about 2 minutes left"  # three of a minute each, on two cores
    touch(Path(other.out).parent / "running" / Path(other.out).name, 50)  # of an earlier start
    progress.look(101.0)
    assert not progress.running()
    touch(Path(other.out).parent / "running" / Path(other.out).name, 102)
    progress.look(102.0)
    assert progress.line(102.0).startswith("1 of 4 jobs done, 1 running (search_cifar10_drnas_released_seed1), about")
    touch(Path(other.out), 282)
    progress.look(282.0)
    assert progress.line(282.0) == "2 of 4 jobs done, about 3 minutes left"  # the first took three times its estimate
    for job in few:
        touch(Path(job.out), 300)
    progress.look(300.0)
    assert progress.line(300.0) == "4 of 4 jobs done"


def test_the_list_says_minutes_and_hours(few):
    said = listing(few, 2).splitlines()
    assert said[0] == "    1.0 min  search_cifar10_drnas_released_seed0" and len(said) == 5
    assert said[-1] == "4 jobs, by estimate 0.1 hours of one core, 0.0 on 2."


def test_the_dry_run_of_the_command_lists_what_is_left(tmp_path, capsys):
    assert main(["-n", "--results", str(tmp_path), "--seeds", "0,1"]) == 0
    said = capsys.readouterr().out
    assert "search_cifar10_gdas_paper_seed1" in said and "lambda_ablation_cifar10_laptop" in said
    assert said.endswith(f" on {len(os.sched_getaffinity(0))}.\n")


def test_the_plan_goes_through_snakemakes_configuration():
    assert plan_of({"scale": "smoke", "seeds": "0,2", "dataset": "digits", "results": "there"}) == Plan("smoke", "digits", (0, 2), "there")
    assert plan_of({"seeds": 1}).seeds == (1,) and plan_of({}) == Plan()


@needs_snakemake
def test_the_whole_at_the_smoke_scale_is_stopped_and_continued(tmp_path):
    """Every search, table, study and the report; SIGINT after the first notebooks, then the same command.

    The first one starts as a shell starts what it puts in the background: with SIGINT ignored.
    """
    arguments = ["--scale", "smoke", "--dataset", "digits", "--seeds", "0", "--results", str(tmp_path)]
    command = [sys.executable, "-m", "drnas_lib.collection.workflow.laptop", *arguments]
    found = jobs(plan_of({"scale": "smoke", "dataset": "digits", "seeds": "0", "results": str(tmp_path)}))
    ignored = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    first = subprocess.Popen(ignored, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    search = next(job for job in found if job.notebook == "search")
    readers = [Path(job.out) for job in found if search.out in job.after]
    while not any((out.parent / "running" / out.name).exists() for out in readers):  # then the search is known to be done
        assert first.poll() is None, first.stdout.read()
        time.sleep(0.5)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate(timeout=600)
    assert first.returncode == 130 and said.endswith("Stopped. The same command continues.\n"), said
    done, before = made(found), Path(search.out).stat().st_mtime_ns
    assert search.out in done and len(done) < len(found)
    again = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert again.returncode == 0 and f"{len(found)} of {len(found)} jobs done" in again.stdout, again.stdout + again.stderr
    assert made(found) == {job.out for job in found} and Path(search.out).stat().st_mtime_ns == before
    assert subprocess.run([*command, "-n"], cwd=PROJECT, capture_output=True, text=True).stdout.startswith("0 jobs")
