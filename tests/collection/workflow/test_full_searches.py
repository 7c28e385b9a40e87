"""What the tables and studies stand on: every search at full length has a file that makes that very run."""

import pytest

from drnas_lib.collection.paper.commands import Command, read_params
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT

FULL = {
    ("nas_bench_201", "published_full"): 9 * 3 * 4,
    ("partial_channels", "published_full"): 5 * 2 * 4,
    ("hessian", "nb201_cifar10"): 2 * 4,
    ("lambda_ablation", "nb201_cifar10"): 7 * 4,
}


def searches(notebook, name):
    return [(settings.stem, settings.seed) for settings in Command(notebook, name, name).searches() if not settings.reduced]


@pytest.mark.parametrize(("notebook", "name"), FULL)
def test_a_file_of_params_makes_each_search(notebook, name):
    found = searches(notebook, name)
    assert len(set(found)) == len(found) == FULL[notebook, name]
    for stem, seed in found:
        given = read_params("search", stem) | {"seed": seed, "results": "somewhere"}
        assert SearchConfig.of(given).settings().folder == f"somewhere/{stem}/seed{seed}"


@pytest.mark.parametrize("notebook", ["nas_bench_201", "partial_channels", "hessian", "lambda_ablation"])
def test_small_searches_are_left_to_the_notebook(notebook):
    (name,) = [path.stem for path in (PROJECT / "params" / notebook).glob("*digits_smoke.yaml")]
    assert searches(notebook, name) == []
