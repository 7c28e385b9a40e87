"""drnas_lib.runs.identity and what tells two runs apart: finished, unfinished, in settings, in images, for searches and trainings."""

import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import TableSearchSettings
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.errors import MissingData
from drnas_lib.retrain import run as retrain_run
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.files import RecordError, RunFolder
from drnas_lib.runs.identity import image_differences, settings_differences
from drnas_lib.search import run as search_run

CPU = torch.device("cpu")
SEARCH = {"dataset": "folder", "image_size": 8, "epochs": [2], "cells": 1, "channels": 4, "batch_size": 16, "evaluate": "none"}
RETRAIN = {"dataset": "folder", "image_size": 8, "epochs": 2, "cells": 3, "channels": 4, "batch_size": 16}
JOBS = {"search": (search_run.run, SearchConfig, SEARCH), "retrain": (retrain_run.run, RetrainConfig, RETRAIN)}
WHAT_TO_DO = "Give this run another name with the parameter `name`, or replace the other one with rerun=True."

each_job = pytest.mark.parametrize("job", JOBS)


@pytest.fixture
def pictures(tmp_path):
    """Forty images of each of two classes, of noise."""
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(40):
            Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def made(job, pictures, tmp_path):
    """Run it: `made(after, **changes)` ends after so many epochs, None: at the end. Gives its folder."""
    run, config, small = JOBS[job]

    def make(after=None, rerun=False, **changes):
        given = small | {"data_folder": str(pictures), "results": str(tmp_path), "device": "cpu", "name": "mine", "rerun": rerun} | changes
        settings = config.of(given).settings()
        progress = run(settings, rerun)
        for _ in itertools.islice(progress, after):
            pass
        progress.close()
        return RunFolder(settings.folder)

    return make


def told(action) -> str:
    with pytest.raises(CheckpointError) as error:
        action()
    assert str(error.value).endswith(WHAT_TO_DO)
    return str(error.value)


@each_job
def test_a_finished_run_whose_images_have_changed_says_what_they_were_and_are(made, pictures):
    folder = made()
    before = folder.file("record.json").read_bytes()
    made()
    image = pictures / "dog" / "7.png"
    whole = image.read_bytes()
    Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    said = told(made)
    assert "the images were and are 80 images of 2 classes from an image folder, 8x8, but not the same ones" in said
    assert str(folder.path) in said
    for number in range(20):
        (pictures / "cat" / f"{number}.png").unlink()
    assert "the images were 80 images of 2 classes from an image folder, 8x8; they are 60 images of 2 classes" in told(made)
    assert folder.file("record.json").read_bytes() == before, "what was found is kept until rerun=True"
    made(rerun=True)
    image.write_bytes(whole)
    assert "but not the same ones" in told(made)


@each_job
def test_the_same_images_elsewhere_are_the_same_run_and_others_are_named_with_their_folder(made, pictures, tmp_path):
    made()
    copy = shutil.copytree(pictures, tmp_path / "copy")
    made(data_folder=str(copy))
    (copy / "cat" / "0.png").unlink()
    said = told(lambda: made(data_folder=str(copy)))
    assert f"data_folder was '{pictures}', is '{copy}'; the images were 80 images" in said


@each_job
def test_without_its_images_a_finished_run_is_read_and_a_warning_says_that_they_were_not_compared(made, pictures, job):
    made()
    pictures.rename(pictures.with_name("gone"))
    with pytest.warns(UserWarning, match="were not compared: there is no folder .*pictures"):
        made()
    for changes in ({"rerun": True}, {"name": "other"}):
        with pytest.raises(ParameterError, match="there is no such folder"):
            made(**changes)
    run, config, small = JOBS[job]
    given = small | {"data_folder": str(pictures.with_name("gone")), "results": str(pictures.parent), "device": "cpu", "name": "mine"}
    moved = replace(config.of(given).settings(), data_folder=str(pictures.with_name("nowhere")))
    with pytest.raises(MissingData, match="nowhere"):
        list(run(moved))


@each_job
def test_another_setting_is_named_with_both_values_in_a_finished_run_and_in_an_unfinished_one(made, job):
    changes, said = {
        "search": ({"weight_lr": 0.01, "epochs": [3]}, ["weight_lr was 0.025, is 0.01", "epochs was [2], is [3]"]),
        "retrain": ({"lr": 0.1, "genotype": "darts_v2"}, ["lr was 0.025, is 0.1", "cell was 'drnas_cifar10', is 'darts_v2'"]),
    }[job]
    made()
    found = [told(lambda: made(**changes))]
    made(1, name="half")
    found.append(told(lambda: made(**changes, name="half")))
    for text in found:
        assert all(part in text for part in said) and text.count(" was ") == 2, text
        assert "fingerprint" not in text
    assert "checkpoint-00001 belongs to a run with other settings or data" in found[1]


@each_job
def test_images_that_changed_before_a_run_was_finished(made, pictures):
    made(1)
    (pictures / "cat" / "0.png").unlink()
    assert "checkpoint-00001" in (said := told(made)) and "the images were 80 images of 2 classes" in said and "they are 79" in said


def test_settings_that_one_version_only_has():
    assert settings_differences({"lr": 1, "new": 2}, {"lr": 1, "other": 3}) == ["other is 3, was unknown", "new was 2, is unknown"]
    assert settings_differences({"lr": 1, "new": 2}, {"lr": 2}) == ["lr was 1, is 2"]
    assert image_differences({"fingerprint": "a"}, {"fingerprint": "a"}) == []


def test_a_cell_of_the_same_name_is_told_apart():
    one = RetrainConfig.of({"dataset": "digits"}).settings()
    other = replace(one, cell_json=RetrainConfig.of({"dataset": "digits", "genotype": "darts_v2"}).settings().cell_json)
    (said,) = settings_differences(one.as_dict(), other.as_dict())
    assert said.startswith("cell_json was {") and len(said) < 1000


def test_a_search_on_the_table_names_the_setting(tmp_path, data_root):
    few = TableSearchSettings.of(seeds=2, results=str(tmp_path))
    policies.run(few)
    with pytest.raises(RecordError, match="seeds was 2, is 3; .*|seeds was 2, is 3. Choose another folder"):
        policies.run(replace(few, seeds=3))
