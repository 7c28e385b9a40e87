"""A search on image files that are read as they are needed: drnas_lib.data.search_images and search, whole, stopped, damaged, refused."""

import csv

import pytest
import torch

from drnas_lib.data.image_files import only_train
from drnas_lib.data.index_lists import draw, write
from drnas_lib.data.search_images import LIST_SEED, read
from drnas_lib.errors import DamagedData, MissingData
from drnas_lib.genotype import DartsGenotype, genotype_from_json
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.search.finished_search import FinishedSearch, RecordError
from drnas_lib.search.loop import Search, SearchError
from drnas_lib.search.run import run
from tests.conftest import run_with_stops
from tests.data.images import collection, fill
from tests.fake_capture import problems, recorded
from tests.search.test_run import results

SMALL = dict(space="darts", dataset="imagenet", image_size=32, channels=4, cells=3, batch_size=60, workers=0)
STAGES = SMALL | dict(epochs=[1, 1], k=[2, 1], keep=[7, 4], arch_warmup=[0, 0], lr_warmup=2, weight_lr=0.05)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return collection(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def lists(photographs, tmp_path_factory):
    """60 % of the images for the weights and 38 % for eta: nearly all, the damaged ones too."""
    return [str(path) for path in write(only_train(photographs / "train" / ".."), [60, 38], 0, tmp_path_factory.mktemp("lists") / "most")]


@pytest.fixture
def these(settings, photographs, lists):
    return lambda **changes: settings(STAGES | {"data_folder": str(photographs), "index_lists": lists} | changes)


def test_a_search_goes_through_and_stopped_after_any_epoch_ends_with_the_same_bits(these):
    """Stages, a warm-up of the rate, a clip of eta's gradient; read by workers, or not."""
    whole, parts = these(workers=2), these(name="parts")
    list(run(whole))
    run_with_stops(parts)
    assert RunFolder(parts.folder).done and results(whole) == results(parts)
    folder = RunFolder(whole.folder)
    record = read_json(folder.file("record.json"))
    unreadable = record["data"]["unreadable"]
    names = {f"train/class1/{name}.jpg" for name in ("cut", "empty", "text")}
    assert unreadable["files"] and set(unreadable["files"]) <= names and unreadable["count"] == len(unreadable["files"])
    assert unreadable == read_json(RunFolder(parts.folder).file("record.json"))["data"]["unreadable"]
    assert record["parameters"]["arch_grad_clip"] == 5.0 and "most_60pct" in record["data"]["source"]
    less = ["images of 32 instead of 224 pixels", "600 training images of 6 classes instead of 1,281,167 of 1,000"]
    assert record["reduced"][-2:] == less
    with open(folder.file("history.csv")) as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx([0.025, 0.05]), "the rate climbs to 0.05 in two epochs"
    assert isinstance(genotype_from_json(read_json(folder.file("genotype.json"))), DartsGenotype)
    with pytest.raises(RecordError, match="searched imagenet"):
        FinishedSearch.read(folder.path)


def test_without_lists_they_are_those_of_the_command(these, photographs):
    data = read(these(index_lists=None))
    lists = draw(only_train(photographs), [10.0, 2.5], LIST_SEED)
    assert [len(data.train), len(data.valid)] == [sum(map(len, images.values())) for images in lists]
    ours = {data.train.name(i) for i in range(len(data.train))}
    assert not ours & {data.valid.name(i) for i in range(len(data.valid))} and "10 % and 2.5 %" in data.source
    assert these(index_lists=None).reduced[-1].startswith("images of 32")
    assert data.fingerprint != read(these()).fingerprint


def test_smaller_lists_make_a_run_reduced(these, photographs, tmp_path):
    little = [str(path) for path in write(only_train(photographs), [5, 2.5], 0, tmp_path / "little")]
    assert "5 % and 2.5 % instead of 10 % and 2.5 % of the images of each class" in these(index_lists=little).reduced


def test_lists_that_overlap_folders_that_lack_images(these, lists, settings, tmp_path):
    with pytest.raises(DamagedData, match="images are in both"):
        read(these(index_lists=[lists[0], lists[0]]))
    with pytest.raises(MissingData, match="needs the folders train/ and val/.*a search reads train/ alone"):
        read(these(data_folder=str(tmp_path)))
    fill(tmp_path / "train", 1, classes=2)
    with pytest.raises(DamagedData, match="too few .*index_lists"):
        read(these(data_folder=str(tmp_path), index_lists=None))


def test_fewer_images_than_a_batch(these):
    with pytest.raises(SearchError, match="13 images for eta do not fill a batch of 60: lower batch_size"):
        list(run(these(index_lists=None)))


def test_more_than_a_hundredth_unreadable_stops_the_search(these, tmp_path):
    fill(tmp_path / "train", 30)
    for name in ("000.jpg", "001.jpg"):
        (tmp_path / "train" / "class0" / name).write_bytes(b"")
    lists = [str(path) for path in write(only_train(tmp_path), [50, 50], 0, tmp_path / "halves")]
    with pytest.raises(DamagedData, match=r"2 \(train/class0/000.jpg, train/class0/001.jpg\) of 180 images cannot be read"):
        list(run(these(data_folder=str(tmp_path), index_lists=lists)))


def test_lists_of_a_finished_run_are_part_of_its_settings(these, photographs, tmp_path):
    one_stage = dict(name="mine", epochs=[1], k=[2], keep=[7], arch_warmup=[0], lr_warmup=1)
    list(run(these(**one_stage)))
    others = [str(path) for path in write(only_train(photographs), [50, 40], 1, tmp_path / "other")]
    with pytest.raises(Exception, match="index_lists was"):
        list(run(these(**one_stage, index_lists=others)))


@pytest.mark.parametrize("moves_eta", [True, False], ids=["eta moves", "eta rests"])
def test_nothing_in_a_step_would_break_a_capture(these, moves_eta):
    """The images that arrive lie where those before lay, and the clip of eta's gradient reads nothing back."""
    settings = these()
    search = Search(settings, read(settings), torch.device("cpu"))
    train = search.train.plan(60, search.image_generator)
    valid = search.valid.plan(60, search.image_generator, steps=len(train.index))
    launched = search.launcher.epoch(train, valid, moves_eta)
    next(launched)
    first = recorded(lambda: search.launcher.run_step(moves_eta))
    next(launched)
    assert problems(first, recorded(lambda: search.launcher.run_step(moves_eta))) == []
