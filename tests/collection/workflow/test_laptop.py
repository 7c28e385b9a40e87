"""drnas_lib.collection.workflow.laptop: the list of jobs, the line of progress, and the whole at the smoke scale, stopped and continued."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from drnas_lib.collection.paper.report import PLACES, Report
from drnas_lib.collection.workflow.campaign import Plan, jobs
from drnas_lib.collection.workflow.laptop import Progress, listing, made, main, plan_of
from drnas_lib.collection.workflow.running import lock_of, unfinished
from drnas_lib.runs.files import PROJECT, read_json

# Of each notebook that the whole executes: its figures, with the live display where it searches, and a part of its conclusion.
CONCLUSIONS = {
    "search": (5, "This was a reduced run"),
    "nas_bench_201": (3, ""),
    "partial_channels": (2, "by a factor of"),
    "darts_space": (4, ""),
    "robust_spaces": (0, ""),
    "exploration": (2, "cells are distinct after epoch"),
    "hessian": (3, "about ×10 for DARTS in 100 epochs"),
    "lambda_ablation": (3, "the dominant eigenvalue of the Hessian of the loss"),
    "theory": (4, "The premise"),
    "constrained": (2, "Of the hypervolume of the best possible front"),
    "report": (6, PLACES[0]),
}
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
    progress = Progress(few, cores=2)
    assert progress.line(100.0) == "1 of 4 jobs done, about 2 minutes left"  # three of a minute each, on two cores
    touch(unfinished(Path(other.out)), 50)  # of an earlier start
    progress.look(101.0)
    assert "running" not in progress.line(101.0)
    with lock_of(Path(other.out)):
        progress.look(101.0)
        assert progress.line(101.0).startswith("1 of 4 jobs done, 1 running (search_cifar10_drnas_released_seed1), about")
    progress.look(101.5)
    assert "running" not in progress.line(101.5)  # it failed
    with lock_of(Path(other.out)):
        progress.look(102.0)
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


def outputs(path, kind):
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(o.data[kind]) for cell in cells for o in cell.get("outputs", ()) if kind in o.get("data", {})]


def check_conclusion(job):
    """The executed notebook has its figures and says its conclusion."""
    figures, conclusion = CONCLUSIONS[job.notebook]
    assert len(outputs(job.out, "image/png")) == figures, job.name
    said = " ".join(outputs(job.out, "text/markdown"))
    assert conclusion.lower() in said.lower() and not re.search(r"\bnan\b", said), job.name
    assert Path(job.out).stat().st_size < 1_000_000, job.name


def check_table_4(path):
    """Every row of the paper, nine searches among ours, none of which the benchmark can judge."""
    (table, *_) = [html for html in outputs(path, "text/html") if "cifar100_valid" in html]
    for row in read_json(PROJECT / "params" / "paper" / "table4.json")["rows"]:
        assert row["method"].replace("&", "&amp;") in table
    assert table.count("2 instead of 40 epochs") == 9 and "does not know digits" in table


def check_report(path, results):
    """Every table and figure with a verdict, and as many verdicts as the report in the library has."""
    said, report = outputs(path, "text/markdown"), Report.read(results)
    assert all(any(text.startswith(f"**{place}, ") for text in said) for place in PLACES)
    of_claims = [result.outcome.verdict for _, scales in report.claims for result in scales.values()]
    verdicts = [*(finding.verdict for finding in report.findings), *of_claims]
    assert " ".join(outputs(path, "text/html")).count("○ not run</td>") == verdicts.count("not run") + 2  # and the two legends


@needs_snakemake
def test_the_whole_at_the_smoke_scale_is_stopped_and_continued(tmp_path, data_root):
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
    by_notebook = {job.notebook: Path(job.out) for job in found}
    assert by_notebook.keys() == CONCLUSIONS.keys()
    for job in found:
        check_conclusion(job)
    check_table_4(by_notebook["nas_bench_201"])
    assert "paper: GPU memory (MB)" in outputs(by_notebook["partial_channels"], "text/html")[-1]
    check_report(by_notebook["report"], tmp_path)
