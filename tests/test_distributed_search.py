"""A search on several processes on a CPU (gloo) against one."""

import os
from functools import partial
from itertools import islice

import pytest
import torch

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.search import SearchConfig
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.search_images import read
from drnas_lib.data.stream import StreamedImages
from drnas_lib.distributed.launch import start
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.retrain.loop import Meter
from drnas_lib.runs import checkpoint
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.search import loop as search
from drnas_lib.search.loop import Epoch, Search, SharedDevice
from drnas_lib.search.run import TrainingEpoch, run
from tests.conftest import SMALL
from tests.data.images import fill
from tests.distributed.test_distributed import lose_a_process, torchrun
from tests.search.test_run import results

CPU = torch.device("cpu")
TINY = dict(dataset="digits", batch_size=12, evaluate="none", device="cpu", weight_lr=0.1, arch_lr=0.1)
STAGES = dict(subset=72, epochs=[1, 1], arch_warmup=[0, 0])  # three steps in each of two stages
CASES = {
    "nb201, K 2 to 1": TINY | STAGES | dict(channels=8, cells=1, k=[2, 1], keep=[5, 3]),
    "more channels than a vector": TINY | dict(subset=120, epochs=[1], channels=16, cells=1),
    "second order, penalty": TINY | dict(subset=48, epochs=[1], channels=4, bilevel="second", regulariser="penalty"),
    "pc_darts": TINY | dict(subset=72, epochs=[1], channels=8, method="pc_darts", k=[4], arch_warmup=[0]),
    "gdas": TINY | dict(subset=72, epochs=[1], channels=4, method="gdas"),
    "enas": TINY | dict(subset=72, epochs=[1], channels=4, method="enas", candidates=2, monitored=1, controller_updates=1,
                        controller_samples=2),
    "darts, K 6 to 3": TINY | STAGES | dict(space="darts", channels=12, cells=3, k=[6, 3], keep=[7, 4], weight_lr=0.01),
}  # fmt: skip
FROM_FILES = TINY | dict(space="darts", dataset="imagenet", image_size=32, channels=4, cells=3, workers=0)
FROM_FILES |= dict(epochs=[1], lr_warmup=1, k=[2], keep=[7], arch_warmup=[0])
NAMES = (*CASES, "imagenet, from files")
NOISE = TINY | dict(space="s4", channels=4, cells=3, subset=48, epochs=[3], drop_path=0.3, cutout=4)


def in_double():
    """From here on this process searches in float64: only then is a difference of 1e-6 no matter of rounding."""
    torch.set_default_dtype(torch.float64)
    search.ArchVariables = partial(ArchVariables, dtype=torch.float64)
    for images in (DeviceImages, StreamedImages):
        of_batch = images.batch
        images.batch = lambda self, *which, of_batch=of_batch: (lambda x, y: (x.double(), y))(*of_batch(self, *which))
    StreamedImages.normalised = lambda self, images: images.double().sub_(self.mean).div_(self.std)


def state_after(case, process_group, folder, epochs=None):
    """Weights, running statistics, momentum, what is learnt about the cell; and the rows of the history, at the end or after `epochs`."""
    settings = SearchConfig.of(case | {"results": str(folder)}).settings()
    these = Search(settings, read(settings), CPU, process_group=process_group)
    ended = (progress.row for progress in these.run(RunFolder(settings.folder), SharedDevice()) if isinstance(progress, Epoch))
    rows = list(islice(ended, epochs))
    net = {name: value.clone() for name, value in these.step.net.state_dict().items()}
    momentum = {f"momentum of {name}": value.clone() for name, value in these.step.momentum().items()}
    learnt = {name: value for name, value in these.method.state_dict().items() if isinstance(value, torch.Tensor)}
    streams = {"stream of theta": these.theta_generator.get_state(), "stream of noise": these.noise.get_state()}
    return net | momentum | learnt | streams, rows


def worker(number, folder, cases):
    """Process 0 and 1 search together, process 2 alone."""
    torch.set_num_threads(1)
    in_double()
    process_group = SINGLE_PROCESS
    if number < 2:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=number, world_size=2)
        process_group = ProcessGroup.joined()
    found = {name: state_after(case, process_group, folder / ("two" if number < 2 else "one") / name) for name, case in cases.items()}
    torch.save(found, folder / f"process{number}")
    if number < 2:
        whole, _ = state_after(NOISE, process_group, folder / "whole")
        state_after(NOISE, process_group, folder / "parts", epochs=1)
        continued, _ = state_after(NOISE, process_group, folder / "parts")
        torch.save((whole, continued), folder / f"noise{number}")
        torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """What each of the three processes found, by case."""
    folder = tmp_path_factory.mktemp("states")
    fill(folder / "images" / "train", 60)
    cases = CASES | {NAMES[-1]: FROM_FILES | {"data_folder": str(folder / "images")}}
    torch.multiprocessing.start_processes(worker, (folder, cases), nprocs=3, start_method="spawn")
    return [torch.load(folder / f"process{number}") for number in range(3)], [torch.load(folder / f"noise{number}") for number in range(2)]


@pytest.mark.parametrize("case", NAMES)
def test_two_processes_equal_one_on_the_same_batches(states, case):
    states, _ = states
    whole, rows = states[2][case]
    del whole["stream of noise"]  # which is of no matter where nothing is noisy
    assert all(value.dtype != torch.float32 for value in whole.values())
    for state, of_rank in (states[0][case], states[1][case]):
        for name, value in whole.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")
        for ours, row in zip(of_rank, rows, strict=True):
            for key in ("train_loss_nats", "train_acc_pct", "valid_loss_nats", "valid_acc_pct", "beta_min", "beta_max"):
                assert ours[key] == pytest.approx(row[key], abs=1e-6)
            assert ours["genotype"] == row["genotype"]


def test_noise_and_dropped_paths_are_each_process_own_and_come_again_after_a_stop(states):
    """All that is common stays so, to the bit."""
    _, ((first, continued), (second, continued_second)) = states
    for name, value in first.items():
        assert torch.equal(value, continued[name]) and torch.equal(second[name], continued_second[name]), name
        assert torch.equal(value, second[name]) == (name != "stream of noise"), name


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds the processes through /proc")
def test_killing_a_process_ends_the_search_with_a_clear_error_and_the_restart_resumes(settings, tmp_path):
    """Through a stage, with the cells trained after the search; as a notebook starts it, and by the command."""
    these = dict(epochs=[2, 2], arch_warmup=[0, 0], k=[2, 1], keep=[5, 3], channels=4, subset=128)
    these |= dict(evaluate="train", train_epochs=1, random_cells=1, train_seeds=1)
    these = SMALL | these | {"results": str(tmp_path), "device": "cpu"}
    whole, hurt = (SearchConfig.of(these | {"name": name, "processes": 2}) for name in ("whole", "hurt"))
    told = list(start(whole))
    assert [progress.row["epoch"] for progress in told if isinstance(progress, Epoch)] == [1, 2, 3, 4]
    assert [progress.cell for progress in told if isinstance(progress, TrainingEpoch)] == ["derived", "random_1", "all_skip"]
    lose_a_process(torchrun("search", these | {"name": "hurt"}))
    folders = [RunFolder(config.settings().folder) for config in (whole, hurt)]
    assert not folders[1].done
    assert [progress.row["epoch"] for progress in start(hurt) if isinstance(progress, Epoch)][-1] == 4
    assert results(whole.settings()) == results(hurt.settings())
    records = [read_json(folder.file("record.json")) for folder in folders]
    assert records[0]["evaluation"] == records[1]["evaluation"] and records[0]["processes"] == 2
    assert list(start(whole)) == []


def test_a_search_of_two_processes_is_not_continued_by_one(settings, monkeypatch):
    generator = run(settings())
    next(generator)
    generator.close()
    load = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda *args: load(*args) | {"processes": 2})
    with pytest.raises(CheckpointError, match="begun on 2 processes.*processes=2.*rerun=True"):
        list(run(settings()))


def test_batches_that_have_no_equal_shares(settings):
    with pytest.raises(ParameterError, match="processes=3 with batch_size=32: each needs an equal share"):
        settings(processes=3)


def test_the_first_step_that_is_not_finite_is_found_from_the_sums_of_all_processes():
    """Of two, the loss of one is not a number in the third step; by the averaged gradient that of the other is not in the fourth."""
    meters = [Meter(CPU), Meter(CPU)]
    logits, y = torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    for broken, meter in zip((3, 4), meters):
        for step in range(1, 6):
            meter.add(0, torch.tensor(float("nan") if step >= broken else 1.0), logits, y)
    meters[0].sums += meters[1].sums
    assert meters[0].first_not_finite(2) == 3
