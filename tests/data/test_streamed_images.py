"""drnas_lib.data.stream: what a search draws and reads, by however many workers."""

import pytest
import torch

from drnas_lib.data.batches import Share
from drnas_lib.data.image_files import only_train
from drnas_lib.data.stream import MEAN, STD, StreamedImages
from tests.data.images import collection

CPU = torch.device("cpu")
SIZE, BATCH = 32, 16


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return only_train(collection(tmp_path_factory.mktemp("images")))


def some(files, first, last):
    """Files `first` to `last` of every class."""
    return files.select({name: list(range(first, last)) for name in files.classes})


def streamed(files, workers=0, seed=0):
    return StreamedImages(files, SIZE, seed, CPU, workers)


def order(seed=0):
    return torch.Generator().manual_seed(seed)


def arrived(images, plan):
    """All batches of an epoch, as a launcher gets them."""
    epoch, found = images.epoch(), []
    epoch.begin(plan)
    for number in range(len(plan.index)):
        epoch.fetch()
        found.append([value.clone() for value in epoch.batch(torch.tensor(number))])
    return found


def test_a_pass_is_every_image_once_but_for_an_incomplete_last_batch(files):
    plan = streamed(some(files, 0, 9)).plan(BATCH, order())
    assert plan.index.shape == plan.draws.shape == (3, BATCH) and len(plan.index.unique()) == 48
    assert plan.draws.unique().numel() > 40, "each image has a view of its own"


def test_batches_of_eta_come_from_as_many_passes_as_it_takes(files):
    """54 images, three whole batches in a pass."""
    plan = streamed(some(files, 0, 9)).plan(BATCH, order(), steps=7)
    assert plan.index.shape == (7, BATCH)
    for begin in (0, 3, 6):
        of_pass = plan.index[begin : begin + 3].flatten()
        assert len(of_pass.unique()) == len(of_pass)
    assert not torch.equal(plan.index[0], plan.index[3])


def test_too_few_files_for_a_batch(files):
    with pytest.raises(ValueError, match="12 images do not fill a batch of 16"):
        streamed(some(files, 0, 2)).plan(BATCH, order())


def test_workers_change_nothing_and_live_on(files):
    plan, other = (streamed(files).plan(BATCH, order(seed), steps=3) for seed in (0, 1))
    helped = streamed(files, workers=2)
    arrived(helped, other)
    here, there = arrived(streamed(files), plan), arrived(helped, plan)
    for step, ((x, y), (x2, y2)) in enumerate(zip(here, there, strict=True)):
        assert torch.equal(x, x2) and torch.equal(y, y2)
        at_once, labels = streamed(files).batch(plan, step)
        assert torch.equal(x, at_once) and torch.equal(y, labels)
    assert not torch.equal(here[0][0], arrived(streamed(files, seed=1), plan)[0][0])
    helped.loader._iterator._shutdown_workers()


def test_images_stay_at_one_place_so_that_a_graph_finds_the_next(files):
    epoch, plan = streamed(files).epoch(), streamed(files).plan(BATCH, order(), steps=2)
    epoch.begin(plan)
    places = []
    for _ in range(2):
        epoch.fetch()
        places.append([value.data_ptr() for value in epoch.here])
    assert places[0] == places[1]


def test_shares_make_up_the_batch(files):
    plan = streamed(files).plan(BATCH, order(), steps=1)
    (whole,) = arrived(streamed(files), plan)
    for rank in (0, 1):
        (part,) = arrived(streamed(files), plan.part(Share(rank, 2)))
        assert all(torch.equal(ours, all_of_them[rank::2]) for ours, all_of_them in zip(part, whole))


def test_the_view_is_a_part_of_the_image_in_its_own_colours(files):
    """Of a photograph of one colour every view is that colour, normalised."""
    described = str(streamed(files).images.transform)
    assert "RandomResizedCrop(size=(32, 32)" in described and "RandomHorizontalFlip(p=0.5)" in described and "Jitter" not in described
    images = streamed(files)
    black = images.normalised(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))[0, :, 0, 0]
    torch.testing.assert_close(black, torch.tensor([-mean / std for mean, std in zip(MEAN, STD)]))


def test_what_cannot_be_read_is_named_and_replaced_from_the_same_list(files):
    """class1 holds 'cmyk', 'cut', 'empty', ... behind its 99 numbered files; only these, and one good image of each other class."""
    names = [files.name(i) for i in range(len(files)) if files.labels[i] == 1]
    odd = [place for place, name in enumerate(names) if name.rpartition("/")[2] in ("cut.jpg", "empty.jpg", "grey.jpg")]
    few = files.select({name: odd if name == "class1" else [0] for name in files.classes})
    images = streamed(few)
    labels = arrived(images, images.plan(len(few), order()))[0][1]
    assert images.unreadable == ["train/class1/cut.jpg", "train/class1/empty.jpg"]
    assert set(labels.tolist()) == set(range(len(files.classes))), "the next file of the list stands in"
