"""drnas_lib.collection.workflow.campaign: every job of `make laptop` is a sound papermill line, and what it reads is made before it."""

import shlex

import pytest

from drnas_lib.collection.paper.commands import CONFIGS
from drnas_lib.collection.workflow.campaign import WITH_HESSIANS, Plan, files, jobs
from drnas_lib.collection.workflow.job import parameters
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT

LAPTOP = Plan(results="results/of_the_test")
SMOKE = Plan(scale="smoke", dataset="digits", seeds=(0,), results="results/of_the_test")


def config(job):
    """What its notebook makes of its parameters."""
    return CONFIGS[job.notebook].of(parameters(list(job.options)))


@pytest.fixture(params=[LAPTOP, SMOKE], ids=["laptop", "smoke"])
def plan(request):
    return request.param


def test_every_job_is_a_line_that_its_notebook_takes(plan):
    for job in jobs(plan):
        words = shlex.split(job.command)
        assert words[0] == "papermill" and (PROJECT / words[1]).is_file() and job.minutes > 0
        if "run" not in parameters(list(job.options)):
            assert all(settings.scale == plan.scale for settings in searches(job))


def searches(job):
    if job.notebook == "search":
        return [config(job).settings()]
    found = config(job)
    return [getattr(one, "settings", one) for one in found.searches()] if hasattr(found, "searches") else []


def test_no_two_jobs_make_the_same(plan):
    found = jobs(plan)
    assert len({job.out for job in found}) == len({job.name for job in found}) == len(found)
    searched = [config(job).settings().folder for job in found if job.notebook == "search"]
    assert len(set(searched)) == len(searched)


def test_what_a_job_reads_is_made_before_it_by_jobs_of_their_own():
    folders, before = {}, set()
    for job in jobs(LAPTOP):
        assert set(job.after) <= before
        before.add(job.out)
        if job.notebook == "search":
            folders[config(job).settings().folder] = job
            continue
        read = {settings.folder for settings in searches(job)} | {v for v in [parameters(list(job.options)).get("run")] if v}
        assert read <= set(folders) and {folders[folder].out for folder in read} <= set(job.after)
    assert job.notebook == "report" and set(job.after) == before - {job.out}


def test_the_searches_are_those_that_the_claims_need():
    found = [config(job).settings() for job in jobs(LAPTOP) if job.notebook == "search"]
    assert {settings.seed for settings in found} == {0, 1, 2, 3} and len(found) == 4 * len(files(LAPTOP)) == 88
    stems = {settings.stem.removeprefix("nb201_cifar10_") for settings in found}
    assert {f"{m}_paper_laptop" for m in ("rsps", "enas", "darts", "darts_2nd", "gdas", "snas", "dsnas", "pc_darts")} < stems
    assert {f"drnas_released_laptop_{v}" for v in ("k2", "k4", "k8", "lam0", "lam1", "lam0.0005", "regulariserkl")} < stems
    assert {"drnas_released_laptop", "drnas_paper_laptop", "drnas_released_progressive_laptop", "darts_released_laptop"} < stems


def test_what_eigenvalues_are_taken_of_keeps_its_snapshots():
    for job in jobs(LAPTOP):
        if job.notebook == "search":
            looked_at = any(f"_{file}_seed" in job.out for file in WITH_HESSIANS)
            assert config(job).snapshots == (10 if looked_at else 0)
        elif job.notebook in ("hessian", "lambda_ablation"):
            assert config(job).snapshots == 10


def test_searches_go_first_then_what_reads_them_and_the_shorter_before_the_longer():
    found = jobs(LAPTOP)
    kinds = [job.notebook == "search" for job in found]
    assert kinds == sorted(kinds, reverse=True)
    minutes = [round(job.minutes, 1) for job in found if job.notebook == "search"]
    assert minutes == sorted(minutes) and len({job.priority > 0 for job in found}) == 1


def test_a_search_that_is_there_takes_no_more_than_its_notebook(tmp_path):
    from tests import paper_runs

    plan = Plan(results=str(tmp_path), seeds=(0,))
    before = {job.name: job.minutes for job in jobs(plan)}
    paper_runs.search(tmp_path, dataset="cifar10", scale="laptop")
    after = {job.name: job.minutes for job in jobs(plan)}
    assert [name for name in before if after[name] < before[name]] == ["search_cifar10_drnas_released_seed0"]


def test_estimates_follow_what_a_search_computes():
    minutes = {job.name.removesuffix("_seed0"): job.minutes for job in jobs(Plan(seeds=(0,), results="results/of_the_test"))}
    usual = minutes["search_cifar10_drnas_released"]
    assert minutes["search_cifar10_drnas_released_k8"] < minutes["search_cifar10_drnas_released_k2"] < usual
    assert minutes["search_cifar10_gdas_paper"] < usual < minutes["search_cifar10_darts_2nd_paper"]
    assert SearchConfig.of({"dataset": "cifar10", "scale": "laptop"}).settings().stages[0].epochs == 50 and 1 < usual < 60
