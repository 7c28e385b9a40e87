"""drnas_lib.search.cuda_graph: a capture is used where it is right; where it is not, the search is the eager one, with one warning."""

import warnings

import pytest
import torch

from drnas_lib.data.sources import load
from drnas_lib.runs.files import RunFolder
from drnas_lib.search.cuda_graph import GraphedSteps, restoring
from drnas_lib.search.loop import Launched, Search, SearchError, SharedDevice
from tests.conftest import SMALL_STAGES
from tests.posing_cuda import CUDA, posing
from tests.search.test_cuda_graph import assert_same, content, run_epoch
from tests.search.test_run import NOT_OF_THE_RESULT
from tests.stand_in_graphs import FrozenDraws, Graph, NotPermitted, OutOfMemory, Raising, stand_in

CPU = torch.device("cpu")
# Two steps an epoch; stages of K 8 and 4, of which the first has an epoch in which eta rests.
TINY = SMALL_STAGES | dict(cells=1, subset=64, batch_size=16)
FAILURES = {
    FrozenDraws: "lead to different numbers",
    Raising: "operation failed due to a previous error during capture$",
    NotPermitted: "NotImplementedError",
}


@pytest.fixture
def searched(settings, tmp_path):
    """A whole search, and its rows without what the clock says; `searched(name, **changes)`."""

    def run(name, **changes):
        search = Search(settings(TINY | changes), load("digits", None), CPU)
        folder = tmp_path / name
        folder.mkdir()
        list(search.run(RunFolder(folder), SharedDevice()))
        return search, [{key: value for key, value in row.items() if key not in NOT_OF_THE_RESULT} for row in search.history]

    return run


def assert_the_same_search(one, other):
    """Weights, running statistics, momentum, eta, Adam's state, meter, random streams, log, and eta after every epoch."""
    (search, rows), (expected, expected_rows) = one, other
    assert_same(content(search), content(expected))
    assert torch.equal(search.image_generator.get_state(), expected.image_generator.get_state())
    assert rows == expected_rows and search.trace == expected.trace


@pytest.mark.parametrize("bilevel", ["first", "second"])
def test_a_good_capture_is_used_and_its_search_is_the_eager_one(searched, monkeypatch, bilevel):
    eager = searched("eager", bilevel=bilevel)
    stand_in(monkeypatch, Graph)
    made, launched = [], []
    monkeypatch.setattr(Graph, "end", lambda graph: made.append(graph))
    monkeypatch.setattr(Graph, "replay", lambda graph, replay=Graph.replay: (launched.append(graph), replay(graph)))
    captured = searched("captured", bilevel=bilevel)
    assert len(made) == 3 and captured[0].launcher.captures, "eta rests, eta moves, and the second stage"
    assert len(launched) == 4 * 2 + len(made), "every step of the four epochs, and each graph once more in its check"
    assert_the_same_search(captured, eager)


def test_steps_on_a_gpu_are_captured_unless_told_otherwise(settings, monkeypatch):
    """On one that poses, with the launcher as it is."""
    stand_in(monkeypatch, Graph, GraphedSteps)
    with posing():
        captured, eager = (Search(settings(TINY), load("digits", None), CUDA, capture) for capture in (True, False))
        run_epoch(captured), run_epoch(eager)
        assert isinstance(captured.launcher.graphs[True], Graph) and not eager.launcher.graphs
        assert_same(content(captured), content(eager))


@pytest.mark.parametrize("graph", FAILURES)
def test_a_bad_capture_gives_one_warning_and_the_eager_search(searched, monkeypatch, graph):
    eager = searched("eager")
    streams = stand_in(monkeypatch, graph)
    with pytest.warns(UserWarning, match="one by one, several times slower") as told:
        search = searched("captured")
    assert len(told) == 1 and told[0].message.args[0].partition("because ")[2]
    assert not search[0].launcher.captures and streams.current is streams.default
    assert_the_same_search(search, eager)


@pytest.fixture
def tries(settings, monkeypatch):
    """A search that has taken an epoch, so that no state is as it began, and what to capture a step with: `tries(graph)`."""

    def after_an_epoch(graph):
        streams, search = stand_in(monkeypatch, graph), Search(settings(TINY), load("digits", None), CPU)
        search.launcher.captures = False
        run_epoch(search)
        search.launcher.number.zero_()
        return search, streams

    return after_an_epoch


@pytest.mark.parametrize(("graph", "why"), FAILURES.items())
def test_after_a_failed_capture_state_stream_and_random_stream_are_as_before(tries, graph, why):
    search, streams = tries(graph)
    before = content(search)
    with pytest.warns(UserWarning, match=why):
        assert search.launcher._graph(True) is None
    assert streams.current is streams.default
    assert_same(content(search), before)


def test_out_of_memory_is_raised_on_with_everything_put_back(tries):
    search, streams = tries(OutOfMemory)
    before = content(search)
    with pytest.raises(torch.OutOfMemoryError), warnings.catch_warnings():
        warnings.simplefilter("error")
        search.launcher._graph(True)
    assert streams.current is streams.default
    assert_same(content(search), before)


def test_a_search_tells_that_the_memory_is_not_enough(searched, monkeypatch):
    stand_in(monkeypatch, OutOfMemory)
    with pytest.raises(SearchError, match="out of memory in epoch 1.*lower batch_size"):
        searched("captured")


def test_a_captured_search_is_stopped_and_continued_exactly(searched, settings, monkeypatch, tmp_path):
    """Between two steps as well, as Ctrl-C does."""
    stand_in(monkeypatch, Graph)
    whole, folder = searched("whole"), tmp_path / "parts"
    folder.mkdir()
    for epochs in (1, 2, 3):  # each counts that of the checkpoint
        search = Search(settings(TINY), load("digits", None), CPU)
        progress = search.run(RunFolder(folder), SharedDevice())
        while epochs:
            epochs -= not isinstance(next(progress), Launched)
        next(progress, None)
        progress.close()
    assert_same(content(search), content(whole[0]))


def test_a_random_stream_that_a_failed_capture_holds_is_freed():
    """Of older PyTorch: until another state takes its place, the generator refuses all as if it were still being captured."""

    class Held(torch.Generator):
        held = True

        def set_state(self, state):
            if self.held:
                raise RuntimeError("the generator is being captured")
            super().set_state(state)

        def graphsafe_set_state(self, other):
            assert isinstance(other, torch.Generator)
            self.held = False

    generator = Held().manual_seed(1)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(1))
    with restoring([], generator):
        torch.rand(7, generator=generator)
    assert torch.equal(torch.rand(3, generator=generator), expected)
