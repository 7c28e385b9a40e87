"""Tests of drnas_lib.config.retrain: what is accepted, what is refused and how, and which runs are called reduced."""

import ast
import json

import pytest
import yaml

from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.runs.files import PROJECT

FILES = sorted((PROJECT / "params" / "retrain").glob("*.yaml"))


def settings(**parameters):
    return RetrainConfig.of(parameters).settings()


def refused(**parameters):
    with pytest.raises(ParameterError) as error:
        RetrainConfig.of(parameters)
    return str(error.value)


def test_by_default_the_published_run():
    found = settings()
    assert (found.cell, found.macro, found.cells, found.channels, found.recipe_name) == ("drnas_cifar10", "cifar", 20, 36, "drnas")
    assert (found.reduced, found.changed) == ((), ())
    assert found.folder == "results/retrain/drnas_cifar10_cifar10_released/seed0"
    json.dumps(found.as_dict())


def test_imagenet_has_its_own_network_and_recipe():
    found = settings(genotype="DrNAS_imagenet", dataset="imagenet")
    assert (found.macro, found.cells, found.channels, found.image_size) == ("imagenet", 14, 48, 224)
    assert (found.recipe.schedule, settings(dataset="imagenet", protocol="paper").recipe.schedule) == ("linear_tail", "linear")


def test_a_nb201_cell_brings_its_recipe():
    found = settings(genotype="|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|", dataset="digits")
    assert (found.macro, found.recipe_name, found.recipe.nesterov, found.image_size) == ("nb201", "nb201", True, 8)


def test_what_makes_a_run_reduced_or_changed():
    found = settings(epochs=5, channels=8, cells=6, subset=4000, batch_size="32", lr=1e-2)
    assert found.reduced == (
        "5 instead of 600 epochs", "4000 training images instead of all", "8 instead of 36 channels", "6 instead of 20 cells",
    )  # fmt: skip
    assert found.changed == ("batch_size 32 instead of 64", "lr 0.01 instead of 0.025")
    assert settings(epochs=700, cells=24).reduced == () and settings(epochs=700, cells=24).changed
    assert settings(dataset="imagenet", image_size=64, index_list="params/paper/table1.json").reduced == (
        "the training images of table1.json instead of all", "images of 64 instead of 224 pixels",
    )  # fmt: skip


def test_an_index_list_that_is_not_there_is_told_with_the_parameters():
    with pytest.raises(ParameterError, match=r"index_list='a/ten.json': there is no such file. Looked for was /.*/a/ten.json"):
        settings(dataset="imagenet", index_list="a/ten.json")


def test_the_fingerprint_is_of_what_the_result_depends_on():
    same = settings().fingerprint
    assert same == settings(device="cpu", workers=9, results="x", name="y", genotype="drnas_CIFAR10").fingerprint
    others = [settings(**{name: value}).fingerprint for name, value in (("seed", 1), ("lr", 0.1), ("genotype", "darts_v2"), ("cells", 8))]
    assert len({same, *others}) == 5


def test_only_another_precision_is_named_and_part_of_the_fingerprint():
    """Runs are older than the parameter."""
    usual, stated, narrow = settings(), settings(precision="float32"), settings(precision="bf16")
    assert usual.fingerprint == stated.fingerprint != narrow.fingerprint and usual.stem == stated.stem
    assert "precision" not in usual.stem and narrow.stem == f"{usual.stem}_precisionbf16"
    assert usual.changed == () and narrow.changed == ("precision bf16 instead of float32",)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"genotyp": "darts_v2"}, "Did you mean `genotype`?"),
        ({"genotype": "DrNAS_cifr10"}, "Did you mean `drnas_cifar10`?"),
        ({"dataset": "cifar"}, "Did you mean `cifar10`?"),
        ({"recipe": "pcdarts"}, "Did you mean `pc_darts`?"),
        ({"drop_path": 1}, "a number from 0 to below 1"),
        ({"cells": 2}, "3 or more"),
        ({"subset": 10}, "subset=10 with batch_size=64"),
        ({"warmup_epochs": 600}, "warmup_epochs=600 with epochs=600"),
        ({"dataset": "imagenet", "epochs": 5, "warmup_epochs": 0}, "the last 5 are its tail, so allowed are more than those"),
        ({"dataset": "imagenet", "subset": 100}, "make index lists instead"),
        ({"dataset": "imagenet", "image_size": 100}, "multiple of 32"),
        ({"dataset": "imagenet", "cutout": 16}, "cutout=16 with dataset='imagenet': streamed images get no hole. Allowed is cutout=0"),
        ({"dataset": "imagenet", "recipe": "drnas"}, "cutout=16 with dataset='imagenet': streamed images get no hole. Allowed is cutout=0"),
        ({"cutout": 24}, "a hole must leave at least half of the image, so allowed are even numbers from 0 to 22"),
        ({"dataset": "digits", "cutout": 6}, "cutout=6 with images of 8 pixels a side: a hole must leave at least half"),
        ({"dataset": "imagenet16-120", "cutout": 12}, "even numbers from 0 to 10"),
        ({"dataset": "digits", "cutout": 3}, "cutout=3: allowed is an even number, 0 or more"),
        ({"dataset": "folder"}, "say where the image folder is"),
        ({"index_list": "x.json"}, "only imagenet reads index lists"),
        ({"data_folder": "x"}, "data_folder='x' with dataset='cifar10': only dataset='folder' and dataset='imagenet' read it"),
        ({"image_size": 32}, "image_size=32 with dataset='cifar10': only dataset='folder' and dataset='imagenet' read it"),
        ({"genotype": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "dataset": "imagenet"}, "for small images"),
        ({"genotype": "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", "recipe": "drnas"}, "allowed are auxiliary=0 and drop_path=0"),
    ],
)
def test_refused(parameters, said):
    assert said in refused(**parameters)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_valid_and_named_after_what_it_runs(file):
    found = settings(**yaml.safe_load(file.read_text()))
    trained = "found" if file.stem.startswith("found_") else found.cell  # by a search, whose folder is named beside the file
    variant = file.stem.removeprefix(f"{trained}_{found.dataset}").removeprefix("_")
    assert variant in (found.protocol, "laptop", "smoke", found.recipe_name.replace("_", "-")) or (trained, variant) == ("found", "")
    assert bool(found.reduced) == (variant in ("laptop", "smoke"))


def test_the_notebook_has_the_parameters_of_the_library_with_the_same_defaults():
    cells = json.loads((PROJECT / "notebooks" / "retrain.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    notebook = {line.target.id: ast.literal_eval(line.value) for line in ast.parse("".join(cell["source"])).body}
    assert notebook == {name: field.default for name, field in RetrainConfig.model_fields.items()}


@pytest.mark.parametrize(
    ("data", "hole"),
    [({"dataset": "digits"}, 4), ({"dataset": "imagenet16-120"}, 8), ({"dataset": "cifar100"}, 16), ({"image_size": 64}, 32)],
)
def test_a_recipes_hole_is_the_same_share_of_an_image_of_any_size_and_the_record_says_so(data, hole, tmp_path):
    data = {"dataset": "folder", "data_folder": str(tmp_path)} | data if "image_size" in data else data
    found, asked = settings(**data), settings(**data, cutout=2)
    assert found.recipe.cutout == hole and found.as_dict()["recipe"]["cutout"] == hole and "cutout" not in found.stem
    assert found.changed == (() if hole == 16 else (f"cutout {hole} instead of 16, as {found.image_size} is to 32 pixels",))
    assert (asked.recipe.cutout, asked.changed) == (2, ("cutout 2 instead of 16",)) and "_cutout2" in asked.stem
    assert settings(**data, cutout=hole).fingerprint == found.fingerprint
