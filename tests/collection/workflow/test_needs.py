"""What the tables and studies stand on: every search at full length has a file that makes that very run."""

import pytest

from drnas_lib.collection.workflow.needs import run_folder, searches
from drnas_lib.runs.records import PROJECT

FULL = {
    ("nas_bench_201", "published_full"): 9 * 3 * 4,
    ("partial_channels", "published_full"): 5 * 2 * 4,
    ("hessian", "nb201_cifar10"): 2 * 4,
    ("lambda_ablation", "nb201_cifar10"): 7 * 4,
}


@pytest.mark.parametrize(("notebook", "name"), FULL)
def test_a_file_of_params_makes_each_search(notebook, name):
    found = list(searches(notebook, name))
    assert len(set(found)) == len(found) == FULL[notebook, name]
    for stem, seed in found:
        assert run_folder(stem, seed, "somewhere") == f"somewhere/{stem}/seed{seed}"


@pytest.mark.parametrize("notebook", ["nas_bench_201", "partial_channels", "hessian", "lambda_ablation"])
def test_small_searches_are_left_to_the_notebook(notebook):
    (name,) = [path.stem for path in (PROJECT / "params" / notebook).glob("*digits_smoke.yaml")]
    assert list(searches(notebook, name)) == []
