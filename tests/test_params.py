"""The parameter files, and the notebook's own parameters, against the library's."""

import ast
import json
from contextlib import suppress

import pytest
import yaml

from drnas_lib.collection.studies.comparison import ComparisonConfig, PartialChannelsConfig
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.search import SearchConfig
from drnas_lib.runs.files import PROJECT, read_json

FILES = sorted((PROJECT / "params" / "search").glob("*.yaml"))
EXPECTED = {
    *(f"nb201_{data}_drnas_{protocol}" for data in ("cifar10", "cifar100", "imagenet16-120") for protocol in ("released", "paper")),
    "nb201_cifar10_drnas_released_progressive",
    "nb201_cifar10_drnas_released_kl",
    "nb201_digits_drnas_smoke",
    *(f"darts_imagenet_drnas_{protocol}" for protocol in ("released", "paper")),
    *(f"darts_cifar10_drnas_{variant}" for variant in ("released", "paper", "released_proxy")),
    *(f"s{n}_cifar10_{search}" for n in range(1, 5) for search in ("drnas_released", *(f"darts_released{v}" for v in ("", "_dp", "_l2")))),
}


def values_of(file):
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_the_searches_of_the_paper_have_a_file_each():
    assert {file.stem for file in FILES} >= EXPECTED


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_valid_and_named_after_what_it_runs(file):
    settings = SearchConfig.of(values_of(file)).settings()
    named = f"{settings.space}_{settings.dataset}_{settings.method}"
    assert file.stem.startswith(named)
    variant = file.stem.removeprefix(named).strip("_").split("_")
    assert settings.protocol in variant or settings.protocol == "released"
    assert bool(settings.reduced) == ("smoke" in variant)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_states_only_differences_from_the_protocol(file):
    values = values_of(file)
    meant = SearchConfig.of(values).settings()
    for name in values:
        rest = {n: v for n, v in values.items() if n != name}
        with suppress(ParameterError):  # without it the others do not fit, so it is needed
            assert SearchConfig.of(rest).settings() != meant, f"{name} is what it would be anyway"


@pytest.mark.parametrize(("name", "epochs"), [("released", 100), ("paper", 50), ("released_progressive", 100)])
def test_epochs_of_the_cifar10_files(name, epochs):
    settings = SearchConfig.of(values_of(PROJECT / "params" / "search" / f"nb201_cifar10_drnas_{name}.yaml")).settings()
    assert sum(stage.epochs for stage in settings.stages) == epochs


def test_the_smoke_run_takes_every_step():
    settings = SearchConfig.of(values_of(PROJECT / "params" / "search" / "nb201_digits_drnas_smoke.yaml")).settings()
    assert (settings.stages[0].epochs, settings.channels, settings.subset) == (2, 8, 128)
    assert (settings.evaluate, settings.train_epochs) == ("train", 1)


def notebook_parameters(name="search"):
    cells = json.loads((PROJECT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    return ast.parse("".join(cell["source"])).body


def test_the_notebook_has_the_parameters_of_the_library_with_the_same_defaults():
    notebook = {line.target.id: ast.literal_eval(line.value) for line in notebook_parameters()}
    library = {name: field.default for name, field in SearchConfig.model_fields.items()}
    assert notebook == library


PAPER4 = {row["method"] for row in read_json(PROJECT / "params" / "paper" / "table4.json")["rows"]}
COMPARISONS = {"nas_bench_201": ComparisonConfig, "partial_channels": PartialChannelsConfig}
FILES_OF_COMPARISONS = [file for name in COMPARISONS for file in sorted((PROJECT / "params" / name).glob("*.yaml"))]


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_has_the_parameters_of_its_notebook(name):
    notebook = {line.target.id: ast.literal_eval(line.value) for line in notebook_parameters(name)}
    library = {field: info.default for field, info in COMPARISONS[name].model_fields.items()}
    assert list(notebook) == list(library)
    own = set(library.pop("methods", ())) - set(notebook.pop("methods", ()))
    assert not own & {name for name, row in METHODS.items() if row.label in PAPER4}, "the notebook runs what Table 4 has"
    assert notebook == library


@pytest.mark.parametrize("file", FILES_OF_COMPARISONS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_comparison_file_is_valid_and_named_after_its_data_and_scale(file):
    values = values_of(file)
    config = COMPARISONS[file.parent.name].of(values)
    searches = config.searches()
    assert (searches or file.stem == "published_policies_full") and file.stem.endswith(config.scale)
    assert file.stem.startswith("published") or all(file.stem.startswith(search.settings.dataset) for search in searches)
    assert all(bool(search.settings.reduced) == (config.scale != "full") for search in searches)
    for name in values:
        assert values[name] != COMPARISONS[file.parent.name].model_fields[name].default, f"{name} is what it would be anyway"


def test_table_4_and_table_1_have_a_file_each():
    assert {f"{file.parent.name}/{file.stem}" for file in FILES_OF_COMPARISONS} >= {
        "nas_bench_201/published_full", "nas_bench_201/cifar10_laptop",
        "partial_channels/published_full", "partial_channels/cifar10_laptop",
    }  # fmt: skip
