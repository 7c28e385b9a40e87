"""drnas_lib.search.cuda_graph: a launched epoch is the loop that it replaces, and nothing in a step would break a CUDA graph."""

from types import SimpleNamespace

import pytest
import torch

from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.image_set import ImageSet
from drnas_lib.data.sources import load
from drnas_lib.runs.device import reproducible
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.search.bilevel import SearchStep
from drnas_lib.search.cuda_graph import GraphedSteps, restoring
from drnas_lib.search.loop import Search
from drnas_lib.search.optimisers import Adam, Sgd
from tests.conftest import SMALL, SMALL_STAGES
from tests.fake_capture import problems, recorded

CPU = torch.device("cpu")
TINY = dict(channels=4, subset=96, batch_size=16)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="captures and replays CUDA graphs: needs a CUDA device")


@pytest.fixture
def make(settings):
    """A search of a second; `make(base, device, capture, **changes)`."""

    def search(base=SMALL, device=CPU, capture=True, **changes):
        these = settings(base | TINY | changes)
        return Search(these, load("digits", None), device, capture)

    return search


def plans(search):
    train = search.train.plan(search.settings.batch_size, search.image_generator)
    return train, search.valid.plan(search.settings.batch_size, search.image_generator, steps=len(train.index))


def run_epoch(search, moves_eta=True, lr=0.05):
    search.step.weight_optimiser.set_lr(lr)
    return list(search.launcher.epoch(*plans(search), moves_eta))


def content(search):
    return {
        "net": {name: value.clone() for name, value in search.step.net.state_dict().items()},
        "momentum": {name: value.clone() for name, value in search.step.momentum().items()},
        "eta": {"eta": search.variables.eta.detach().clone()},
        "adam": {name: value.clone() for name, value in search.arch_optimiser.state[search.variables.eta].items()},
        "meter": {"sums": search.step.meter.sums.clone()},
        "chance": {"state": search.theta_generator.get_state()},
    }


def assert_same(one, other, close=None):
    for kind, values in one.items():
        for name, value in values.items():
            if close is None:
                assert torch.equal(value.cpu(), other[kind][name].cpu()), f"{kind} {name}"
            elif kind != "chance":
                torch.testing.assert_close(value.cpu(), other[kind][name].cpu(), **close)


# The detector itself, on what it must find


def twice(action):
    return problems(recorded(action), recorded(action))


def test_the_detector_finds_nothing_in_arithmetic_in_place():
    weight, rate = torch.randn(4, 4), torch.full((), 0.1)
    assert twice(lambda: weight.sub_(weight.relu().sum(0) * rate)) == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (lambda theta: theta[[0, 2]], "made of host data"),
        (lambda theta: theta[[0, 2], 1], "made of host data"),
        (lambda theta: theta * torch.tensor([1.0, 2.0, 3.0]), "made of host data"),
        (lambda theta: theta.sum().item(), "reads a value back"),
        (lambda theta: float(theta.norm()), "reads a value back"),
        (lambda theta: theta if (theta > 0).any() else -theta, "reads a value back"),
        (lambda theta: theta[theta > 0], "as many entries as the data says"),
        (lambda theta: theta.nonzero(), "reads a value back"),
    ],
)
def test_the_detector_finds_host_and_device_waiting_for_each_other(action, expected):
    found = twice(lambda: action(torch.randn(4, 3)))
    assert any(expected in problem and "test_cuda_graph.py" in problem for problem in found)


def test_the_detector_finds_copies_between_host_and_device():
    """The meta device stands for the GPU: it holds no values, and only what is sent there is there."""
    theta, sent = torch.empty(4, 3, device="meta"), torch.ones(3)
    assert twice(lambda: theta * 2.0) == []
    assert "copies between" in twice(lambda: theta * sent.to(theta.device))[0]
    with pytest.raises(RuntimeError, match="item"):
        recorded(lambda: theta.sum().item())


def test_the_detector_finds_numbers_shapes_and_places_that_change():
    weight, counted, made = torch.randn(8), iter(range(1, 9)), []
    assert "became" in twice(lambda: weight.mul_(1 - 0.9 ** next(counted)))[0], "a number of the host would be frozen"
    assert "became" in twice(lambda: weight[: next(counted)].sum())[0]
    assert "launches became" in twice(lambda: [weight.sin() for _ in range(next(counted))])[-1]

    def allocates():
        made.append(torch.zeros(8) if not made else made[-1].add(weight))

    allocates()
    assert "no longer where they were" in twice(allocates)[-1]


# The step of a search


def one_step(search, moves_eta):
    search.launcher.number.zero_()
    return recorded(lambda: search.launcher.run_step(moves_eta))


@pytest.mark.parametrize("moves_eta", [True, False], ids=["eta moves", "eta rests"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bilevel": "second"},
        {"regulariser": "penalty"},
        {"regulariser": "kl"},
        {"precision": "bf16"},
        {"k": [4]},
    ],
    ids=str,
)
def test_nothing_in_a_step_would_break_a_capture(make, changes, moves_eta):
    """Recorded before and after the epoch, the plans and the learning rate have changed."""
    search = make(**changes)
    run_epoch(search, moves_eta)
    first = one_step(search, moves_eta)
    run_epoch(search, moves_eta, lr=0.01)
    assert problems(first, one_step(search, moves_eta)) == []


def test_the_second_stage_can_be_captured_too(make):
    search = make(SMALL_STAGES, channels=8)
    run_epoch(search)
    search.prune_and_widen(1)
    run_epoch(search)
    first = one_step(search, True)
    run_epoch(search, lr=0.01)
    assert problems(first, one_step(search, True)) == []


@pytest.mark.parametrize("second_order", [False, True])
def test_nothing_in_a_step_crosses_between_host_and_device(make, second_order):
    """Everything on the meta device; it draws nothing, so theta is the softmax of eta there."""
    meta, search = torch.device("meta"), make()
    variables = search.variables.to(meta)
    method = SimpleNamespace(sample=lambda generator: variables.eta.softmax(-1))
    net = search.step.net.to(meta)
    adam, sgd = Adam([variables.eta], 0.1), Sgd(net.parameters(), 0.9, 3e-4, 5.0)
    step = SearchStep(net, method, variables, search.regulariser, adam, sgd, None, second_order)
    train = DeviceImages(ImageSet(torch.zeros(40, 1, 8, 8, dtype=torch.uint8), torch.zeros(40).long()), search.train.augment, meta)
    launcher, order = GraphedSteps(step, train, train, None), torch.Generator().manual_seed(0)
    assert list(launcher.epoch(train.plan(16, order), train.plan(16, order), True)) == [1, 2]
    assert recorded(lambda: launcher.run_step(True)).broken == []


@pytest.mark.parametrize("bilevel", ["first", "second"])
def test_an_epoch_is_the_loop_over_its_batches(make, bilevel):
    launched, looped = make(bilevel=bilevel), make(bilevel=bilevel)
    for moves_eta, lr in ((False, 0.05), (True, 0.02)):
        assert run_epoch(launched, moves_eta, lr) == [1, 2, 3]
        looped.step.weight_optimiser.set_lr(lr)
        train, valid = plans(looped)
        for i in range(len(train.index)):
            batch = looped.train.batch(train, i)
            if moves_eta:
                looped.step.arch_step(batch, looped.valid.batch(valid, i))
            looped.step.weight_step(batch)
        assert_same(content(launched), content(looped))


def test_steps_in_a_restoring_block_leave_no_trace(make):
    """All that a step changes is in `tensors()`: a capture's warm-up can be undone."""
    search, other = make(bilevel="second"), make(bilevel="second")
    run_epoch(search), run_epoch(other)
    addresses = [tensor.data_ptr() for tensor in search.step.tensors()]
    before = content(search)
    with restoring([*search.step.tensors(), search.launcher.number], search.theta_generator):
        search.launcher.number.zero_()
        search.launcher.run_step(True)
        assert not torch.equal(before["eta"]["eta"], search.variables.eta)
    assert_same(before, content(search))
    assert addresses == [tensor.data_ptr() for tensor in search.step.tensors()]
    run_epoch(search), run_epoch(other)
    assert_same(content(search), content(other))


def test_a_step_that_cannot_be_captured_is_run_as_it_is(make):
    search = make()
    search.step.capturable = False
    assert not GraphedSteps(search.step, search.train, search.valid, search.theta_generator).captures


# On a GPU


@needs_cuda
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("bilevel", ["first", "second"])
def test_captured_equals_eager(make, bilevel, precision):
    """Same kernels, same random stream: bit for bit."""
    cuda = torch.device("cuda")
    with reproducible(cuda, PRECISIONS[precision]):
        captured, eager = (make(device=cuda, capture=capture, bilevel=bilevel, precision=precision) for capture in (True, False))
        assert captured.launcher.captures and not eager.launcher.captures
        for moves_eta, lr in ((False, 0.05), (True, 0.04), (False, 0.03), (True, 0.02)):
            run_epoch(captured, moves_eta, lr), run_epoch(eager, moves_eta, lr)
            assert_same(content(captured), content(eager))


@needs_cuda
def test_stages_are_captured_anew(make):
    cuda = torch.device("cuda")
    with reproducible(cuda):
        captured, eager = (make(SMALL_STAGES, device=cuda, capture=capture, channels=8) for capture in (True, False))
        for search in (captured, eager):
            run_epoch(search)
            search.prune_and_widen(1)
            run_epoch(search)
        assert_same(content(captured), content(eager))


@needs_cuda
def test_cuda_equals_the_cpu_within_rounding(make):
    """Theta comes from another generator on each device, so it is held at its mean; all else starts from the same numbers."""
    searches = [make(device=torch.device(name)) for name in ("cuda", "cpu")]
    with reproducible(torch.device("cuda")):
        for search in searches:
            search.method.sample = lambda generator, method=search.method: method.mean().float()
            run_epoch(search)
    assert_same(content(searches[0]), content(searches[1]), close=dict(rtol=2e-3, atol=2e-4))
