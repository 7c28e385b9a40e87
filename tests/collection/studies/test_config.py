"""The parameters of the studies: the notebooks' against the library's, the parameter files, and what may not be combined."""

import ast
import json
from contextlib import suppress

import pytest
import yaml

from drnas_lib.collection.studies import config as study_config
from drnas_lib.collection.studies.config import (
    ConstrainedConfig,
    ExplorationConfig,
    HessianConfig,
    LambdaConfig,
    MainJobConfig,
    TheoryConfig,
)
from drnas_lib.config.parameters import ParameterError
from drnas_lib.runs.files import PROJECT

CONFIGS = {
    "constrained": ConstrainedConfig,
    "exploration": ExplorationConfig,
    "hessian": HessianConfig,
    "lambda_ablation": LambdaConfig,
    "main_job": MainJobConfig,
    "theory": TheoryConfig,
}
BOTH = ("hessian", "lambda_ablation")
FILES = [path for name in CONFIGS for path in sorted((PROJECT / "params" / name).glob("*.yaml"))]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_notebook_has_the_parameters_of_the_library_with_the_same_defaults(name):
    cells = json.loads((PROJECT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    notebook = {line.target.id: ast.literal_eval(line.value) for line in ast.parse("".join(cell["source"])).body}
    assert notebook == {field: info.default for field, info in CONFIGS[name].model_fields.items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_file_is_valid_and_states_only_differences(file):
    of, values = CONFIGS[file.parent.name], yaml.safe_load(file.read_text(encoding="utf-8"))
    config = of.of(values)
    for name in values:
        with suppress(ParameterError):  # without it the others do not fit, so it is needed
            assert of.of({n: v for n, v in values.items() if n != name}) != config, f"{name} is what it would be anyway"


def test_every_notebook_has_a_smoke_file():
    assert {file.parent.name for file in FILES if file.stem.endswith("_smoke")} == set(CONFIGS)


def test_the_lambda_study_of_a_laptop_contains_the_searches_of_the_hessian():
    values = {name: yaml.safe_load((PROJECT / "params" / name / "nb201_cifar10_laptop.yaml").read_text()) for name in BOTH}
    searches = {name: CONFIGS[name].of(values[name]).searches() for name in BOTH}
    stems = [{settings.folder for settings in searches[name] if settings.method == "drnas"} for name in BOTH]
    assert stems[0] < stems[1] and len(stems[1]) == 28


def test_lists_as_papermill_passes_them():
    assert HessianConfig.of({"runs": "a/seed0, b/seed1"}).runs == ["a/seed0", "b/seed1"]
    assert LambdaConfig.of({"lams": "0,1e-3", "seeds": "0,1"}).lams == [0.0, 1e-3]
    assert HessianConfig.of({"methods": "drnas"}).methods == ["drnas"]


@pytest.mark.parametrize(
    ("of", "values", "said"),
    [
        (HessianConfig, {"methods": ["drna"]}, "Did you mean `drnas`"),
        (HessianConfig, {"measure": "exakt"}, "allowed are literature, exact"),
        (LambdaConfig, {"lams": [0, -1]}, r"in a list such as .* 0 or more"),
        (LambdaConfig, {"epochs": [0]}, "a whole number from 1 to 100000, for each stage"),
        (LambdaConfig, {"seeds": []}, r"seeds=\[\]: the list is empty. Allowed is one entry or more, such as \[0, 1, 2, 3\]."),
        (ConstrainedConfig, {"samples": "10,10"}, "samples='10,10': 10 is there twice. Allowed is each entry once"),
        (LambdaConfig, {"space": "s1"}, "space='s1': there is no such parameter"),
        (LambdaConfig, {"runs": ["a/seed0"]}, "there is no such parameter"),  # Table 5 is made of its own searches
        (HessianConfig, {"scale": "laptop"}, "dataset='digits': they have no such scale"),
        (TheoryConfig, {"scale": "laptop"}, "allowed are full, smoke"),
        (HessianConfig, {"epochs": [5, 5]}, "each needs one entry for every stage"),
        (ConstrainedConfig, {"cost": "flops"}, "allowed are parameters, macs, imagenet_macs, latency_ms"),
        (ExplorationConfig, {"sample": 3}, "Did you mean `samples`"),
    ],
)
def test_what_is_wrong_is_named(of, values, said):
    with pytest.raises(ParameterError, match=said):
        of.of(values)


def test_a_search_is_made_only_where_no_run_is_named():
    assert TheoryConfig(run="results/search/x/seed0").searches() == [] and HessianConfig(runs=["x"]).searches() == []
    (made,) = TheoryConfig().searches()
    assert made.dataset == "digits" and made.snapshots == 40 and made.stem == "nb201_digits_study_full"
    assert study_config.HessianConfig(dataset="cifar10").searches()[0].evaluate == "table"
