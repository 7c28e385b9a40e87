"""Tests of drnas_lib.retrain.loop and retrain_run: a step written out, exact resume, records, and what goes wrong."""

import csv
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from drnas_lib.config.recipes import RECIPES
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.data.image_files import scan
from drnas_lib.data.index_lists import write as write_lists
from drnas_lib.data.stream import UNREADABLE
from drnas_lib.retrain import run as retrain_run
from drnas_lib.retrain.loop import Meter, RetrainError, Trainer, score
from drnas_lib.retrain.run import run
from drnas_lib.runs import checkpoint
from drnas_lib.runs.checkpoint import CheckpointError
from drnas_lib.runs.device import DeviceError
from drnas_lib.runs.files import RunFolder, RunLocked, read_json
from drnas_lib.runs.identity import Identity
from tests.conftest import leaves_no_checkpoint_after_the_next_start
from tests.data.images import collection

CPU = torch.device("cpu")
SMALL = dict(dataset="digits", channels=2, cells=3, subset=96, batch_size=32, epochs=3, cutout=2)
NOT_OF_THE_RESULT = ("seconds", "images_per_s", "peak_memory_mb")


@pytest.fixture
def settings(tmp_path):
    return lambda **changes: RetrainConfig.of(SMALL | {"results": str(tmp_path), "device": "cpu"} | changes).settings()


def results(settings):
    """All that a run leaves, without the clock's part."""
    folder = RunFolder(settings.folder)
    with open(folder.file("history.csv")) as file:
        history = [{k: v for k, v in row.items() if k not in NOT_OF_THE_RESULT} for row in csv.DictReader(file)]
    return history, read_json(folder.file("record.json"))["network"]


class Lines:
    """A feed of given batches, the same in each epoch."""

    def __init__(self, batches, classes=10):
        self.batches, self.classes, self.steps, self.unreadable = batches, classes, len(batches), []

    def epoch(self, epoch):
        yield from self.batches

    def test(self):
        yield from self.batches


def linear(classes=10):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, classes)).double()


def batches(count=3, size=8):
    generator = torch.Generator().manual_seed(1)
    draw = lambda: torch.randn(size, 3, 2, 2, dtype=torch.float64, generator=generator)
    return [(draw(), torch.randint(10, (size,), generator=generator)) for _ in range(count)]


def test_a_training_written_out(tmp_path):
    """SGD with momentum, decay, clip and label smoothing by hand, two epochs, against the loop."""
    recipe = replace(RECIPES["imagenet"], epochs=2, schedule="linear", warmup_epochs=1, grad_clip=0.3, auxiliary=0.0, weight_decay=0.01)
    net, data = linear(), batches()
    weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
    velocity = [torch.zeros_like(w) for w in weights]
    losses = []
    for lr in (0.5, 0.25):
        for x, y in data:
            loss = F.cross_entropy(x.flatten(1) @ weights[0].T + weights[1], y, label_smoothing=0.1)
            losses.append(loss.item())
            gradients = torch.autograd.grad(loss, weights)
            norm = torch.cat([g.flatten() for g in gradients]).norm()
            for w, v, g in zip(weights, velocity, gradients):
                v.mul_(0.9).add_(g * min(1, 0.3 / (norm + 1e-6)) + 0.01 * w.detach())
                w.data -= lr * v
    training = Trainer(net, Lines(data), recipe, 0, CPU, Identity("id"))
    rows = list(training.run(RunFolder(tmp_path)))
    for ours, theirs in zip(net.parameters(), weights):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert [row["lr"] for row in rows] == [0.5, 0.25]
    assert rows[1]["train_loss_nats"] == pytest.approx(sum(losses[3:]) / 3, rel=1e-12)


def test_the_auxiliary_loss_is_weighted():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(10)), nn.Parameter(torch.zeros(10))

        def forward(self, x):
            main = self.a.expand(len(x), 10)
            return (main, self.b.expand(len(x), 10)) if self.training else main

    net, y = Two(), torch.zeros(4, dtype=torch.int64)
    recipe = replace(RECIPES["drnas"], epochs=1, weight_decay=0.0, momentum=0.0, grad_clip=None, drop_path=0.0)
    training = Trainer(net, Lines([(torch.zeros(4, 1), y)]), recipe, 0, CPU, Identity("id"))
    meter = Meter(CPU, rows=1)
    training._step(torch.zeros(4, 1), y, meter)
    torch.testing.assert_close(net.b.grad, 0.4 * net.a.grad)
    assert meter.sums[0].tolist() == pytest.approx([4 * 1.4 * torch.tensor(10.0).log().item(), 4, 4, 1])


def test_top_1_and_top_5_of_a_known_case():
    """Class c has rank c in every row: label 0 is first, 1 to 4 are among five, 5 is not; an unreadable one does not count."""
    logits = torch.arange(10, 0, -1.0).expand(7, 10)
    y = torch.tensor([0, 0, 1, 4, 5, 9, UNREADABLE])
    loss, first, among, images = score(logits, y).tolist()
    assert (first, among, images) == (2, 4, 6)
    assert loss == pytest.approx(F.cross_entropy(logits[:6], y[:6], reduction="sum").item())


def test_a_run_leaves_its_records(settings):
    these = settings()
    rows = [progress.row for progress in run(these)]
    folder = RunFolder(these.folder)
    record = read_json(folder.file("record.json"))
    assert [row["epoch"] for row in rows] == [1, 2, 3] and folder.done and not checkpoint.list_checkpoints(folder.path)
    errors = [100 - row["test_acc_pct"] for row in rows]
    found = record["metrics"]
    assert (found["digits_test_error_pct_last"], found["digits_test_error_pct_best"]) == (errors[-1], min(errors))
    assert found["best_epoch"] == errors.index(min(errors)) + 1 and "test set" in record["best_is"]
    assert record["network"]["parameters"] < record["network"]["parameters_with_auxiliary"]
    assert record["reduced"] and record["data"]["unreadable"] == {"count": 0, "files": []} and record["processes"] == 1
    assert [row["drop_path"] for row in rows] == pytest.approx([0, 0.1, 0.2])
    weights = torch.load(folder.file("weights.pt"), weights_only=True)
    net = retrain_run.network(these, 10, 1)
    net.load_state_dict(weights)
    assert list(run(these)) == [], "done: nothing to compute"


def test_an_interrupt_before_the_checkpoints_are_removed_leaves_none_after_the_next_start(settings, monkeypatch):
    leaves_no_checkpoint_after_the_next_start(run, settings(), monkeypatch)


@pytest.mark.parametrize("after", [1, 2])
def test_stopped_after_an_epoch_ends_with_the_same_bits(settings, after):
    """Drop path, auxiliary head, cutout, and a cell with noise: all randomness is that of the epoch."""
    cell = "sdarts_c10_s2_pgd"
    whole, stopped = settings(genotype=cell), settings(genotype=cell, name="stopped")
    list(run(whole))
    generator = run(stopped)
    for _ in range(after):
        next(generator)
    generator.close()
    torch.rand(5)  # whatever else the process draws
    assert [progress.row["epoch"] for progress in run(stopped)] == list(range(after + 1, 4))
    assert results(whole) == results(stopped)


@pytest.mark.parametrize("was", [{"device": "cuda"}, {"processes": 2}])
def test_a_training_begun_elsewhere_is_not_continued(settings, monkeypatch, was):
    generator = run(settings())
    next(generator)
    generator.close()
    load, ((name, value),) = checkpoint.load, was.items()
    monkeypatch.setattr(checkpoint, "load", lambda *args: load(*args) | was)
    with pytest.raises(CheckpointError, match=f"begun on {value}.*{name}={value!r}.*rerun=True"):
        list(run(settings()))


def test_noise_cells_resume_alike(settings, tmp_path):
    import json

    pairs = [["noise", 0], ["sep_conv_3x3", 1]]
    cell = {"space": "darts", "normal": pairs, "normal_concat": [2], "reduce": pairs, "reduce_concat": [2]}
    (tmp_path / "noisy.json").write_text(json.dumps(cell))
    whole, stopped = (settings(genotype=str(tmp_path / "noisy.json"), name=name) for name in ("whole", "stopped"))
    list(run(whole))
    generator = run(stopped)
    next(generator)
    generator.close()
    list(run(stopped))
    assert results(whole) == results(stopped)


def test_rerun_starts_over_and_gives_the_same(settings):
    these = settings()
    list(run(these))
    before = results(these)
    assert len(list(run(these, rerun=True))) == 3
    assert results(these) == before


def test_another_seed_gives_another_result(settings):
    one, other = settings(), settings(seed=1)
    list(run(one)), list(run(other))
    assert results(one)[1]["sha256"] != results(other)[1]["sha256"]


def test_a_narrower_precision_is_another_run_and_says_so(settings):
    """Continued after a stop as any other, and tested as it was trained."""
    wide, narrow, stopped = settings(), settings(precision="bf16"), settings(precision="bf16", name="stopped")
    list(run(wide)), list(run(narrow))
    generator = run(stopped)
    next(generator)
    generator.close()
    list(run(stopped))
    assert results(narrow) == results(stopped) and results(narrow)[1]["sha256"] != results(wide)[1]["sha256"]
    records = [read_json(RunFolder(these.folder).file("record.json")) for these in (wide, narrow)]
    assert [record["parameters"]["precision"] for record in records] == ["float32", "bf16"]
    with pytest.raises(DeviceError, match="precision='tf32' needs a GPU: on a CPU float32 and bf16 are allowed"):
        next(run(settings(precision="tf32")))


def test_a_finished_run_of_other_settings_is_not_taken_for_this_one(settings):
    list(run(settings(name="mine")))
    with pytest.raises(CheckpointError, match="other settings"):
        list(run(settings(name="mine", lr=0.1)))


def test_two_processes_do_not_work_in_one_folder(settings):
    generator = run(settings())
    next(generator)
    with pytest.raises(RunLocked):
        next(run(settings()))
    generator.close()


def test_a_loss_that_is_no_number_stops_with_advice_and_keeps_the_epochs_before(settings):
    these = settings(grad_clip=1e30, lr=1e30)
    with pytest.raises(RetrainError, match="Lower the learning rate"):
        list(run(these))
    assert not RunFolder(these.folder).done


def test_memory_that_is_not_enough_names_the_batch_size(tmp_path):
    class Huge(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    recipe = replace(RECIPES["drnas"], epochs=1, drop_path=0.0)
    training = Trainer(Huge(), Lines(batches()), recipe, 0, CPU, Identity("id"))
    with pytest.raises(RetrainError, match="out of memory in epoch 1 with batch_size=64 .*Lower batch_size"):
        list(training.run(RunFolder(tmp_path)))


def test_fewer_images_than_a_batch_or_a_subset(settings):
    with pytest.raises(RetrainError, match="training set has"):
        list(run(settings(subset=100_000)))


def test_nb201_cells_train_in_the_same_loop(settings):
    these = settings(genotype="|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|", cells=1, cutout=0)
    rows = [progress.row for progress in run(these)]
    assert [row["test_acc_pct"] is None for row in rows] == [True, True, False]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return collection(tmp_path_factory.mktemp("photographs"))


def test_an_image_folder_goes_through_and_resumes_with_the_same_bits(photographs, tmp_path):
    """The ImageNet network and recipe, reduced, on a list of some of the images, read by workers."""
    (listed,) = write_lists(scan(photographs / "train"), [60], 0, tmp_path / "some")
    small = dict(dataset="imagenet", data_folder=str(photographs), index_list=str(listed), image_size=32, channels=4, cells=3)
    small |= dict(batch_size=64, epochs=6, warmup_epochs=2, lr=0.05, device="cpu", results=str(tmp_path))
    whole, stopped = (RetrainConfig.of(small | changes).settings() for changes in ({"workers": 2}, {"workers": 0, "name": "stopped"}))
    rows = [progress.row for progress in run(whole)]
    generator = run(stopped)
    next(generator), next(generator), next(generator)
    generator.close()
    list(run(stopped))
    assert results(whole) == results(stopped)
    record = read_json(RunFolder(whole.folder).file("record.json"))
    unreadable = record["data"]["unreadable"]
    assert {f"val/class1/{name}.jpg" for name in ("cut", "empty", "text")} <= set(unreadable["files"])
    assert unreadable["count"] == len(unreadable["files"]) and "some_60pct" in record["data"]["source"]
    assert "imagenet_test_top5_error_pct_last" in record["metrics"]
    assert record["reduced"][-1] == "600 training images of 6 classes instead of 1,281,167 of 1,000"
    assert [row["lr"] for row in rows] == pytest.approx([0.025, 0.05, 0.05 * 4 / 5, 0.05 * 3 / 5, 0.05 * 2 / 5, 0.05 / 5])
    assert rows[-1]["train_loss_nats"] < rows[0]["train_loss_nats"]
