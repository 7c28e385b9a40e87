"""Every method in the loop: stopped and continued it ends with the same bits; its choice of a cell; its memory."""

import csv

import pytest
import torch

from drnas_lib.config.method_presets import METHODS, options
from drnas_lib.data.sources import load
from drnas_lib.methods import method_class
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.search.loop import Search
from drnas_lib.search.run import run
from drnas_lib.spaces import SPACES
from tests.conftest import SMALL, run_with_stops
from tests.fake_capture import problems, recorded

NOT_OF_THE_RESULT = ("seconds", "images_per_s", "peak_memory_mb")
FEW = {"candidates": 5, "monitored": 2, "candidate_batch": 32, "controller_updates": 2, "controller_samples": 3}
OTHERS = [name for name in METHODS if name != "drnas"]


def small(name, **more):
    few = {option: value for option, value in FEW.items() if option in options(name, "paper")}
    warmup = {"arch_warmup": [1]} if name == "pc_darts" else {}
    return SMALL | {"method": name, "protocol": "paper", "epochs": [3], "subset": 128} | few | warmup | more


def results(settings):
    folder = RunFolder(settings.folder)
    with open(folder.file("history.csv")) as file:
        rows = [{key: value for key, value in row.items() if key not in NOT_OF_THE_RESULT} for row in csv.DictReader(file)]
    record = read_json(folder.file("record.json"))
    return rows, folder.file("eta.csv").read_text(), record["genotype"], record["supernet_sha256"]


@pytest.mark.parametrize("name", OTHERS)
def test_stopped_after_every_epoch_ends_with_the_same_bits(settings, name):
    whole, parts = settings(small(name)), settings(small(name), name="parts")
    list(run(whole))
    run_with_stops(parts)
    assert RunFolder(parts.folder).done
    assert results(whole) == results(parts)


def test_methods_differ(settings):
    found = set()
    for name in METHODS:
        list(run(settings(small(name) | {"arch_warmup": [0], "k": [1], "keep": [5]})))
        found.add(results(settings(small(name) | {"arch_warmup": [0], "k": [1], "keep": [5]}))[3])
    assert len(found) == len(METHODS)


def test_one_operation_of_each_edge_keeps_less(settings):
    kept = {}
    for name in ("darts", "gdas", "pc_darts"):
        list(run(settings(small(name))))
        kept[name] = float(results(settings(small(name)))[0][-1]["activation_mb"])
    assert kept["gdas"] < 0.7 * kept["darts"] and kept["pc_darts"] < 0.7 * kept["darts"]


def test_weights_only_methods_see_no_validation_batch_and_leave_eta(settings):
    list(run(settings(small("rsps"))))
    rows, eta, _, _ = results(settings(small("rsps")))
    assert all(row["valid_loss_nats"] == "" for row in rows)
    values = [row.rsplit(",", 1)[1] for row in eta.splitlines()[1:]]
    assert values[:30] == values[30:60] == values[60:]


@pytest.mark.parametrize("name", ["gdas", "pc_darts", "snas"])
def test_other_methods_prune_and_widen_too(settings, name):
    stages = {"epochs": [2, 2], "k": [4, 2], "keep": [5, 3], "arch_warmup": [0, 0], "progressive": True}
    these = settings(small(name) | stages)
    list(run(these))
    rows, *_ = results(these)
    assert [(row["k"], row["operations_kept"]) for row in rows] == [("4", "5"), ("4", "5"), ("2", "3"), ("2", "3")]


def test_dsnas_resumes_exactly_after_edges_were_fixed(settings):
    these = small("dsnas", epochs=[4], arch_lr=0.3)
    whole, parts = settings(these), settings(these, name="parts")
    list(run(whole))
    run_with_stops(parts)
    assert results(whole) == results(parts)
    with open(RunFolder(whole.folder).file("eta.csv")) as file:
        eta = torch.tensor([float(row["eta"]) for row in csv.DictReader(file)]).view(4, 6, 5)
    rested = (eta[1:] == eta[:-1]).all(-1)  # epochs 2 to 4, edges
    assert rested[-1].any() and (rested[1:] >= rested[:-1]).all(), "an edge that was fixed stays so"


@pytest.mark.parametrize(
    ("name", "protocol", "mean", "std"), [("snas", "paper", 1, 0.01), ("dsnas", "paper", 1, 0.01), ("snas", "released", 0, 1e-3)]
)
def test_where_eta_starts(settings, name, protocol, mean, std):
    search = Search(settings(small(name) | {"protocol": protocol}), load("digits", None), torch.device("cpu"))
    noise = torch.randn(SPACES["nb201"].shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(search.variables.eta.detach(), mean + std * noise)


def test_rsps_judges_on_shuffled_batches_and_shuffles_anew(settings):
    """48 images of a half in batches of 20: two whole batches in a pass."""
    search = Search(settings(small("rsps", subset=96, candidate_batch=20)), load("digits", None), torch.device("cpu"))
    in_order = [x for batch in search.valid.evaluation(1) for x in batch[0]]
    place = lambda x: next(number for number, other in enumerate(in_order) if torch.equal(x, other))
    batches = [[place(x) for x in batch] for batch, _ in search.method_context().plain(20, 4)]
    assert [len(batch) for batch in batches] == [20] * 4
    first, second = batches[0] + batches[1], batches[2] + batches[3]
    assert len(set(first)) == len(set(second)) == 40, "an image comes once in a pass"
    assert first != sorted(first) and first != second
    again = Search(search.settings, search.dataset, torch.device("cpu"))
    assert [[place(x) for x in batch] for batch, _ in again.method_context().plain(20, 4)] == batches, "one seed, one order"


def test_split_that_looks_at_test_images(settings):
    these = settings(small("darts", split="test_half", epochs=[1]))
    list(run(these))
    assert "split" in these.stem and results(these)[2]


@pytest.mark.parametrize("name", [name for name in METHODS if method_class(name).network.capturable])
def test_a_gpu_may_replay_the_steps_of_methods_that_compute_everything(settings, name):
    """Recorded in two epochs, so that a temperature has changed in between: same launches, nothing read back."""
    these = settings(small(name, progressive=False, arch_warmup=[0], batch_size=16))
    search = Search(these, load("digits", None), torch.device("cpu"))
    assert search.step.capturable

    def epoch(number):
        search.method.begin_epoch(number, 3)
        train = search.train.plan(16, search.image_generator)
        valid = search.valid.plan(16, search.image_generator, steps=len(train.index))
        list(search.launcher.epoch(train, valid, True))
        search.launcher.number.zero_()

    epoch(0)
    first = recorded(lambda: search.launcher.run_step(True))
    epoch(1)
    second = recorded(lambda: search.launcher.run_step(True))
    assert problems(first, second) == []


def test_methods_that_read_their_choice_back_are_not_captured():
    assert {name for name in METHODS if not method_class(name).network.capturable} == {"rsps", "enas", "gdas", "dsnas"}
