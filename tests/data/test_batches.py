"""drnas_lib.data.batches: which images an epoch shows, how they reach the device, and the view for evaluation."""

import pytest
import torch
from scipy.stats import chisquare
from torchvision.transforms.v2 import functional as tv

from drnas_lib.data.augment import Augment
from drnas_lib.data.batches import DeviceImages, distinct
from drnas_lib.data.image_set import ImageSet

CPU = torch.device("cpu")
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def numbered(count: int, device: torch.device = CPU, cutout: int = 0) -> DeviceImages:
    """Random images whose label is their place in the set."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8)
    return DeviceImages(ImageSet(images, torch.arange(count)), Augment(16, 2, True, cutout, MEAN, STD), device)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_pass_shows_every_image_at_most_once():
    plan = numbered(103).plan(10, seeded())
    assert plan.index.shape == (10, 10)
    assert plan.draws.shape == (10, 10, 5)
    assert len(plan.index.unique()) == 100


def test_one_pass_differs_from_epoch_to_epoch_and_repeats_with_the_seed():
    images, order = numbered(60), seeded()
    first, second = images.plan(10, order), images.plan(10, order)
    assert not torch.equal(first.index, second.index)
    again = images.plan(10, seeded())
    assert torch.equal(first.index, again.index)
    assert torch.equal(first.draws, again.draws)


def test_a_batch_of_eta_is_distinct_and_batches_are_independent():
    plan = numbered(40).plan(32, seeded(), steps=500)
    assert all(len(row.unique()) == 32 for row in plan.index)
    shown = torch.bincount(plan.index.flatten(), minlength=40)  # of 500 batches, each with probability 0.8
    assert (shown - 400).abs().max() < 5 * (500 * 0.8 * 0.2) ** 0.5


@pytest.mark.parametrize(("count", "below"), [(1, 1), (7, 7), (5, 8), (64, 25_000)])
def test_distinct_numbers_of_a_row_are_distinct(count, below):
    rows = distinct(300, count, below, seeded())
    assert rows.shape == (300, count) and rows.min() >= 0 and rows.max() < below
    assert all(len(row.unique()) == count for row in rows)


def test_every_ordered_pair_of_distinct_numbers_is_as_likely():
    rows = distinct(20_000, 2, 4, seeded())
    counts = torch.bincount(rows[:, 0] * 4 + rows[:, 1], minlength=16).view(4, 4)
    assert counts.diag().sum() == 0
    assert chisquare(counts[~torch.eye(4, dtype=torch.bool)]).pvalue > 1e-4


@pytest.mark.parametrize("steps", [None, 1])
def test_a_set_smaller_than_a_batch_is_refused(steps):
    with pytest.raises(ValueError, match="7 images do not fill a batch of 8"):
        numbered(7).plan(8, seeded(), steps=steps)


def test_labels_follow_their_images():
    images = numbered(50)
    plan = images.plan(10, seeded())
    x, y = images.batch(plan, 2)
    assert torch.equal(y, plan.index[2])
    assert (x.shape, x.dtype, y.dtype) == ((10, 3, 16, 16), torch.float32, torch.int64)
    one = images.augment.apply(images.padded, y[4:5], plan.draws[2, 4:5], images.mean, images.std)
    assert torch.equal(x[4:5], one)


def test_a_step_counted_on_the_device_gives_the_same_batch():
    images = numbered(50)
    plan = images.plan(10, seeded())
    for step in range(5):
        for found, expected in zip(images.batch(plan, torch.tensor(step)), images.batch(plan, step)):
            assert torch.equal(found, expected)


def test_a_batch_reads_nothing_back_from_the_device():
    # The meta device holds no values: whatever waits for one (item(), a shape that depends on data) fails there.
    meta = torch.device("meta")
    images = numbered(50, meta, cutout=8)
    x, y = images.batch(images.plan(10, seeded()), torch.zeros((), dtype=torch.int64, device=meta))
    assert (x.shape, y.shape, x.device.type) == ((10, 3, 16, 16), (10,), "meta")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_batches_of_the_cpu_and_can_be_captured():
    here, there = numbered(50, cutout=8), numbered(50, torch.device("cuda"), cutout=8)
    plan, plan_there = here.plan(10, seeded()), there.plan(10, seeded())
    step = torch.zeros((), dtype=torch.int64, device="cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        there.batch(plan_there, step)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x, y = there.batch(plan_there, step)
    for number in range(5):
        step.fill_(number)
        graph.replay()
        expected_x, expected_y = here.batch(plan, number)
        torch.testing.assert_close(x.cpu(), expected_x, atol=1e-6, rtol=0)
        assert torch.equal(y.cpu(), expected_y)


def test_shuffled_evaluation_shows_every_image_once():
    images, stream = numbered(23), seeded()
    passes = [list(images.evaluation(10, stream)) for _ in range(2)]
    orders = [torch.cat([y for _, y in batches]) for batches in passes]
    assert all(torch.equal(order.sort().values, torch.arange(23)) for order in orders)
    assert not torch.equal(orders[0], torch.arange(23)) and not torch.equal(*orders)
    plain = torch.cat([x for x, _ in images.evaluation(23)])
    assert torch.equal(torch.cat([x for x, _ in passes[0]]), plain[orders[0]])


def test_evaluation_shows_all_images_in_order_and_unchanged():
    images = numbered(23)
    batches = list(images.evaluation(10))
    assert [len(y) for _, y in batches] == [10, 10, 3]
    assert torch.equal(torch.cat([y for _, y in batches]), torch.arange(23))
    originals = images.padded[:, :, 2:-2, 2:-2]
    expected = tv.normalize(tv.to_dtype(originals, torch.float32, scale=True), MEAN, STD)
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), expected, atol=2e-6, rtol=0)
