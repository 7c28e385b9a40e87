"""The steps of an epoch, launched one after another: on a GPU as a CUDA graph, captured once and replayed; elsewhere as they are.

A graph holds the batches, the augmentation, the draw of theta, both steps, both optimisers and the meter. What changes from step to
step lies in tensors that stay where they are: the plans of the epoch, or its next images where they are read from files, the number of
the step, the learning rate, the offset of the random stream.

A graph is used only where it is proved right: once per stage, its step and the same step run eagerly must lead from one state to
equal ones. Otherwise the search goes on eagerly to its end, with one warning.
"""

import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from drnas_lib.data.batches import DeviceImages, Plan
from drnas_lib.data.streamed_images import StreamedImages

WARM_UP = 3  # steps on a side stream, in which libraries choose kernels and allocate workspaces
AHEAD = 16  # steps launched but not finished: enough to keep the device busy, and an interrupt is soon heard
NOTICES_GENERATORS = (2, 14)  # PyTorch from which a capture finds the random streams it uses; naming them is deprecated there


class GraphedSteps:
    """Runs the epochs of one step object (see bilevel.Bilevel) on one stage's network.

    `train` and `valid` are the images of the weights and of eta, `generator` is the random stream of theta on the device. With `capture`,
    the default, steps on a GPU are captured if the step object is `capturable`; the numbers are those of running it as it is.
    """

    def __init__(
        self,
        step,
        train: DeviceImages | StreamedImages,
        valid: DeviceImages | StreamedImages,
        generator: torch.Generator,
        capture: bool = True,
    ):
        self.step, self.train, self.valid, self.generator = step, train.epoch(), valid.epoch(), generator
        self.device = train.device
        self.captures = capture and step.capturable and self.device.type == "cuda"  # False too once a capture has failed
        self.number = torch.zeros((), dtype=torch.int64, device=self.device)  # of the step within the epoch
        self.graphs: dict[bool, torch.cuda.CUDAGraph | None] = {}  # by whether eta moves; None: run eagerly
        if self.captures:
            self.stream = torch.cuda.Stream(self.device)
            self.pool = torch.cuda.graph_pool_handle()  # shared: one graph runs at a time, and none leaves anything behind in it

    def epoch(self, train: Plan, valid: Plan, moves_eta: bool) -> Iterator[int]:
        """Launch every step of the plans, yielding how many were launched so far. The caller waits by reading the meter."""
        self.train.begin(train)
        if moves_eta:
            self.valid.begin(valid)
        self.number.zero_()
        run = self._replayed if self.captures else self._plain
        yield from run(len(train.index), moves_eta)

    def one(self, moves_eta: bool) -> None:
        """The whole step at `number`, which then counts on: the same launches, shapes and addresses every time."""
        batch = self.train.batch(self.number)
        self.step.advance(batch, self.valid.batch(self.number) if moves_eta else None, moves_eta)
        self.number.add_(1)

    def _arrive(self, moves_eta: bool) -> None:
        """Put the images of the next step where it looks for them."""
        self.train.fetch()
        if moves_eta:
            self.valid.fetch()

    def _plain(self, steps: int, moves_eta: bool) -> Iterator[int]:
        for i in range(steps):
            self._arrive(moves_eta)
            self.one(moves_eta)
            yield i + 1

    def _replayed(self, steps: int, moves_eta: bool) -> Iterator[int]:
        unfinished = deque()
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        try:
            for i in range(steps):
                with torch.cuda.stream(self.stream):  # not across the yield: another search may launch in between
                    self._arrive(moves_eta)
                if moves_eta not in self.graphs:
                    self.graphs[moves_eta] = self._graph(moves_eta)
                    self.stream.wait_stream(torch.cuda.current_stream(self.device))  # which has put everything back
                with torch.cuda.stream(self.stream):
                    graph = self.graphs[moves_eta]
                    self.one(moves_eta) if graph is None else graph.replay()
                    unfinished.append(self.stream.record_event())
                if len(unfinished) > AHEAD:
                    unfinished.popleft().synchronize()
                yield i + 1
        finally:  # after an interrupt too, or freed memory could be written to by steps on their way
            torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def _graph(self, moves_eta: bool) -> torch.cuda.CUDAGraph | None:
        """The graph of one step, or None with a warning where it cannot be captured or does not do what the step does."""
        here, why = torch.cuda.current_stream(self.device), "the captured step and the step itself lead to different numbers"
        try:
            graph = self._capture(moves_eta)
            if self._equals_the_step(graph, moves_eta):
                return graph
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            why = str(error).partition("\n")[0] or type(error).__name__
        finally:
            torch.cuda.set_stream(here)  # a failed capture leaves its own stream current
        self.captures = False
        warnings.warn(f"steps are launched one by one, several times slower, because {why}", stacklevel=2)
        return None

    def _capture(self, moves_eta: bool) -> torch.cuda.CUDAGraph:
        """Warming up takes real steps, so all that they change is put back: capturing leaves no trace."""
        graph = torch.cuda.CUDAGraph()
        if torch.__version__ < NOTICES_GENERATORS:
            graph.register_generator_state(self.generator)
        how = dict(pool=self.pool, stream=self.stream, capture_error_mode="thread_local")  # a loader's thread may pin memory meanwhile
        with traceless([*self.step.tensors(), self.number], self.generator):
            self._warm_up(moves_eta)
            with torch.cuda.device(self.device), torch.cuda.graph(graph, **how):
                self.one(moves_eta)
        return graph

    def _equals_the_step(self, graph: torch.cuda.CUDAGraph, moves_eta: bool) -> bool:
        """Whether a replay and an eager step lead from the present state to the same weights, eta, optimisers, meter and random stream."""
        state, ends = [*self.step.tensors(), self.number], []
        for run in (lambda: self.one(moves_eta), graph.replay):
            with traceless(state, self.generator):
                self.stream.wait_stream(torch.cuda.current_stream(self.device))
                with torch.cuda.stream(self.stream):
                    self.number.zero_()
                    run()
                self.stream.synchronize()
                ends.append([*(tensor.detach().clone() for tensor in state), self.generator.get_state()])
        return all(map(torch.equal, *ends))

    def _warm_up(self, moves_eta: bool) -> None:
        here = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP):
                self.one(moves_eta)
                self.number.zero_()  # an epoch may be shorter than the warm-up
        here.wait_stream(self.stream)


@contextmanager
def traceless(tensors: list[Tensor], generator: torch.Generator) -> Iterator[None]:
    """After the block `tensors` hold what they held before, in place, and `generator` draws what it would have drawn."""
    before, chance = [tensor.detach().clone() for tensor in tensors], generator.get_state()
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before):
                tensor.copy_(value)
        try:
            generator.set_state(chance)
        except RuntimeError:  # an older PyTorch, after a failed capture, still takes the generator for one that is being captured
            generator.graphsafe_set_state(torch.Generator(generator.device))
            generator.set_state(chance)
