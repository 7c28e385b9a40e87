"""Searches and trainings on tensors that pose as CUDA: a step mixes no devices, waits for nothing and copies nothing."""

import pytest
import torch
from torch.nn import functional as F

from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.data.batches import Share
from drnas_lib.data.image_files import only_train, train_and_test
from drnas_lib.data.search_images import StreamedDataset
from drnas_lib.data.sources import load
from drnas_lib.data.stream import StreamFeed
from drnas_lib.methods import method_class
from drnas_lib.retrain.loop import Meter, Trainer
from drnas_lib.retrain.run import feed as make_feed
from drnas_lib.retrain.run import network, read
from drnas_lib.runs.files import RunFolder
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.search.loop import Search, SharedDevice
from tests.conftest import SMALL
from tests.data.images import fill
from tests.posing_cuda import CUDA, Generator, posing
from tests.test_method_runs import small

IN_SPACE = {"nb201": dict(channels=8, cells=1), "darts": dict(space="darts", channels=4, cells=3)}
TINY = dict(subset=96, batch_size=16, epochs=[1], arch_warmup=[0])
# The choice of a one-hot theta decides which kernels are launched, so the host has to know it; and ENAS' controller lives on the CPU.
KNOWN = {"tolist reads back @ single_path.py", "to reads back @ enas.py", "aten._local_scalar_dense reads back @ enas.py"}
NB201_CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"


def files(reports):
    """The reports without line numbers."""
    return {report.rpartition(":")[0] for report in reports}


def refused(device):
    """What a GPU would not do at all."""
    return [report for report in device.reports if "mixes" in report or "other side" in report]


# What poses


@pytest.fixture
def theta():
    """On the device, while the test runs."""
    with posing() as device:
        theta = torch.rand(4, 3, device="cuda")
        theta.met = device.reports
        yield theta


def test_what_comes_of_a_tensor_of_the_device_is_there(theta):
    """Views, results, one by one or in lists, gradients and what a function makes on the way."""
    weight = torch.ones(4, 3).to(theta.device).requires_grad_()
    theta.met.clear()
    (gradient,) = torch.autograd.grad((theta[1:].relu() * weight[1:]).sum(), weight)
    made = gradient, *torch._foreach_norm([theta, weight]), F.one_hot(theta.argmax(-1), 3), torch.full_like(weight.sum(), 4), theta.T
    assert {value.device for value in made} == {CUDA} and all(value.is_cuda for value in made) and theta.met == []
    assert theta.cpu().device.type == torch.ones(3).device.type == "cpu" and not torch.ones(3).is_cuda


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (lambda theta: theta + torch.ones(3), "aten.add mixes (3,) of the host"),
        (lambda theta: theta[torch.tensor([0, 1])], "aten.index mixes (2,)"),
        (lambda theta: theta[theta > 0], "boolean index reads back"),
        (lambda theta: theta.tolist(), "tolist reads back"),
        (lambda theta: theta.cpu(), "to reads back"),
        (lambda theta: theta.to("cpu", torch.float64), "to reads back"),
        (lambda theta: float(theta.sum()), "reads back"),
        (lambda theta: theta if (theta > 0).any() else -theta, "reads back"),
        (lambda theta: theta.copy_(torch.ones(4, 3)), "copies between host and device"),
        (lambda theta: torch.ones(3).to(theta.device), "copies from the host"),
        (lambda theta: torch.tensor([1.0], device=theta.device), "copies from the host"),
        (lambda theta: torch.rand(3, device=theta.device, generator=torch.Generator()), "random stream of the other side"),
        (lambda theta: torch.rand(3, generator=torch.Generator("cuda")), "random stream of the other side"),
    ],
)
def test_what_a_gpu_would_refuse_or_wait_for_is_reported(theta, action, expected):
    action(theta)
    assert theta.met and all("outside the library" in report for report in theta.met)
    assert any(expected in report for report in theta.met)


def test_a_number_of_the_host_is_no_tensor_of_it(theta):
    assert (theta * 2.0 + torch.tensor(1.0)).device == CUDA and theta.met == []


def test_a_module_moves_and_the_line_of_the_library_is_named(settings):
    with posing() as device:
        net = torch.nn.Linear(3, 2).to(CUDA)
        assert {parameter.device for parameter in net.parameters()} == {CUDA}
        device.reports.clear()
        Search(settings(SMALL | TINY), load("digits", None), CUDA, capture=False)
        assert "to copies from the host to the device @ batches.py" in files(device.reports)
    assert not isinstance(torch.Generator(), Generator) and torch.ones(3).device.type == "cpu"


# Searches


def a_step(search, device):
    """What is met in one step, the images of an epoch being there."""
    steps = search.train.plan(search.settings.batch_size, search.image_generator)
    valid = search.valid.plan(search.settings.batch_size, search.image_generator, steps=len(steps.index))
    next(search.launcher.epoch(steps, valid, True))
    device.reports.clear()
    search.launcher.run_step(True)
    return device.reports


@pytest.mark.parametrize("method", METHODS)
def test_a_step_and_a_whole_search_of_every_method(settings, method, tmp_path):
    with posing() as device:
        these = small(method, progressive=False) | IN_SPACE["nb201"] | TINY
        search = Search(settings(these), load("digits", None), CUDA, capture=False)
        met = files(a_step(search, device))
        assert not met if method_class(method).network.capturable else met <= KNOWN
        list(search.run(RunFolder(tmp_path), SharedDevice()))
        assert not refused(device)


@pytest.mark.parametrize("method", ["darts", "snas"])
def test_a_step_of_other_methods_in_the_darts_space(settings, method):
    with posing() as device:
        search = Search(settings(small(method) | IN_SPACE["darts"] | TINY), load("digits", None), CUDA, capture=False)
        assert a_step(search, device) == []


@pytest.mark.parametrize("bilevel", ["first", "second"])
@pytest.mark.parametrize(
    "changes",
    [
        IN_SPACE["nb201"] | dict(k=[4]),
        IN_SPACE["darts"] | dict(k=[2], keep=[7]),
        IN_SPACE["darts"] | dict(space="s4", drop_path=0.3, cutout=4),
        IN_SPACE["nb201"] | dict(precision="bf16", regulariser="kl"),
        IN_SPACE["nb201"] | dict(regulariser="penalty"),
    ],
    ids=str,
)
def test_a_step_of_both_orders_in_both_spaces(settings, changes, bilevel):
    with posing() as device:
        search = Search(settings(SMALL | TINY | changes, bilevel=bilevel), load("digits", None), CUDA, capture=False)
        assert a_step(search, device) == []


def test_a_search_through_two_stages(settings, tmp_path):
    these = settings(SMALL | TINY | IN_SPACE["nb201"], epochs=[1, 1], k=[4, 2], keep=[5, 3], arch_warmup=[0, 0])
    with posing() as device:
        search = Search(these, load("digits", None), CUDA, capture=False)
        list(search.run(RunFolder(tmp_path), SharedDevice()))
        assert search.stage == 1 and not refused(device)
        assert a_step(search, device) == []


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set:UserWarning")
def test_images_from_files_are_copied_when_they_arrive_and_never_in_a_step(settings, tmp_path):
    fill(tmp_path / "train", 20)
    images = only_train(tmp_path)
    from_files = dict(dataset="imagenet", image_size=32, subset=None, lr_warmup=0, k=[2], keep=[7], workers=0)
    these = settings(SMALL | TINY | IN_SPACE["darts"] | from_files)
    with posing() as device:
        search = Search(these, StreamedDataset(images, images, "photographs", ()), CUDA, capture=False)
        assert a_step(search, device) == []
        search.launcher._arrive(True)
        assert files(device.reports) == {"aten.copy_ copies between host and device @ stream.py"}


# Trainings


TRAINED = dict(channels=4, cells=3, batch_size=32, epochs=1)


@pytest.mark.parametrize("cell", ["DrNAS_cifar10", NB201_CELL], ids=["darts", "nb201"])
def test_an_epoch_of_retraining(cell):
    these = RetrainConfig.of(TRAINED | dict(genotype=cell, dataset="digits", subset=96, cutout=2)).settings()
    with posing() as device:
        feed = make_feed(read(these), these, CUDA, Share())
        training = Trainer(build_seeded(0, lambda: network(these, feed.classes, 1)), feed, these.recipe, 0, CUDA, None)
        training._epoch(0, lambda done, of: device.reports.clear())
        assert files(device.reports) <= {"tolist reads back @ loop.py", "to copies from the host to the device @ batches.py"}
        (x, y), meter = next(feed.epoch(0)), Meter(CUDA)
        device.reports.clear()
        training._step(x, y, meter)
        assert device.reports == []


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set:UserWarning")
def test_an_epoch_of_retraining_on_images_from_files(tmp_path):
    fill(tmp_path / "train", 8), fill(tmp_path / "val", 2, seed=1)
    these = RetrainConfig.of(TRAINED | dict(dataset="imagenet", image_size=32, recipe="drnas", cutout=0, drop_path=0.2)).settings()
    with posing() as device:
        feed = StreamFeed(*train_and_test(tmp_path), 32, 32, 0, CUDA, workers=0)
        training = Trainer(build_seeded(0, lambda: network(these, feed.classes, 3)), feed, these.recipe, 0, CUDA, None)
        device.reports.clear()
        training._epoch(0, None)
        known = {"to copies from the host to the device @ stream.py", "tolist reads back @ loop.py"}
        assert files(device.reports) == known, "a batch is copied as it comes, the sums are read at the end"
