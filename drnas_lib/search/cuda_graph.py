"""The steps of an epoch: on a GPU one CUDA graph, captured once, checked against an eager step and replayed; elsewhere eager steps.

A graph holds the batches, the augmentation, the draw of theta, both steps, both optimisers and the meter. All that changes from step to
step is in tensors with fixed addresses: the plans of the epoch or its next images from files, the number of the step, the learning rate,
the offset of the random stream.

A graph is used only after a check: once per stage, its step and the same step run eagerly must lead from one state to equal states.
Otherwise the search continues eagerly to its end, with one warning.
"""

import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from drnas_lib.data.batches import Plan
from drnas_lib.data.search_images import SearchImages
from drnas_lib.search.bilevel import SearchStep

WARM_UP = 3  # steps on a side stream, in which libraries choose kernels and allocate workspaces
AHEAD = 16  # steps launched but not finished: enough to keep the device busy, few enough to stop soon after an interrupt
FINDS_GENERATORS = (2, 14)  # from this PyTorch on a capture finds the random streams that it uses; registering them is deprecated


class GraphedSteps:
    """Launches the epochs of one stage.

    `train` and `valid` are the images for the weights and for eta, `generator` is the random stream of theta on the device. With `capture`,
    steps on a GPU are captured if `step` is capturable; the numbers are the same as without.
    """

    def __init__(self, step: SearchStep, train: SearchImages, valid: SearchImages, generator: torch.Generator, capture: bool = True):
        self.step, self.train, self.valid, self.generator = step, train.epoch(), valid.epoch(), generator
        self.device = train.device
        self.captures = capture and step.capturable and self.device.type == "cuda"  # False after a failed capture
        self.number = torch.zeros((), dtype=torch.int64, device=self.device)  # of the step in its epoch
        self.graphs: dict[bool, torch.cuda.CUDAGraph | None] = {}  # by `moves_eta`; None: run eagerly
        if self.captures:
            self.stream = torch.cuda.Stream(self.device)
            self.pool = torch.cuda.graph_pool_handle()  # shared: one graph runs at a time and leaves nothing in it

    def epoch(self, train: Plan, valid: Plan, moves_eta: bool) -> Iterator[int]:
        """Launch every step of the plans; yields the number launched so far. Reading the meter waits for them."""
        self.train.begin(train)
        if moves_eta and self.step.reads_valid:
            self.valid.begin(valid)
        self.number.zero_()
        if self.captures:
            yield from self._replayed(len(train.index), moves_eta)
            return
        for i in range(len(train.index)):
            self._arrive(moves_eta)
            self.run_step(moves_eta)
            yield i + 1

    def run_step(self, moves_eta: bool) -> None:
        """Run the step at `number` eagerly and add 1 to `number`: the same launches, shapes and addresses every time."""
        batch = self.train.batch(self.number)
        self.step.advance(batch, self.valid.batch(self.number) if moves_eta and self.step.reads_valid else None, moves_eta)
        self.number.add_(1)

    def _arrive(self, moves_eta: bool) -> None:
        """Move the images of the next step to their place on the device."""
        self.train.fetch()
        if moves_eta and self.step.reads_valid:
            self.valid.fetch()

    def _replayed(self, steps: int, moves_eta: bool) -> Iterator[int]:
        unfinished: deque[torch.cuda.Event] = deque()
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        try:
            for i in range(steps):
                with torch.cuda.stream(self.stream):  # not around the yield, in which another search may launch
                    self._arrive(moves_eta)
                if moves_eta not in self.graphs:
                    self.graphs[moves_eta] = self._graph(moves_eta)
                    self.stream.wait_stream(torch.cuda.current_stream(self.device))  # which has restored the state
                with torch.cuda.stream(self.stream):
                    graph = self.graphs[moves_eta]
                    self.run_step(moves_eta) if graph is None else graph.replay()
                    unfinished.append(self.stream.record_event())
                if len(unfinished) > AHEAD:
                    unfinished.popleft().synchronize()
                yield i + 1
        finally:  # after an interrupt too: launched steps must not write to freed memory
            torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def _graph(self, moves_eta: bool) -> torch.cuda.CUDAGraph | None:
        """The graph of one step; None, with a warning, if the capture fails or the graph does not equal the step."""
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
        """The graph of one step after a warm-up, whose real steps are undone."""
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        if torch.__version__ < FINDS_GENERATORS:  # type: ignore[operator]  # a TorchVersion compares with tuples
            graph.register_generator_state(self.generator)
        with restoring([*self.step.tensors(), self.number], self.generator):
            self.stream.wait_stream(here)
            with torch.cuda.stream(self.stream):
                for _ in range(WARM_UP):
                    self.run_step(moves_eta)
                    self.number.zero_()  # an epoch may be shorter than the warm-up
            here.wait_stream(self.stream)
            with (
                torch.cuda.device(self.device),
                # thread_local: a thread of the loader may pin memory meanwhile
                torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"),
            ):
                self.run_step(moves_eta)
        return graph

    def _equals_the_step(self, graph: torch.cuda.CUDAGraph, moves_eta: bool) -> bool:
        """Whether a replay and an eager step lead from this state to equal weights, eta, optimisers, meter and random stream."""
        state, ends = [*self.step.tensors(), self.number], []
        for run in (lambda: self.run_step(moves_eta), graph.replay):
            with restoring(state, self.generator):
                self.stream.wait_stream(torch.cuda.current_stream(self.device))
                with torch.cuda.stream(self.stream):
                    self.number.zero_()
                    run()
                self.stream.synchronize()
                ends.append([*(tensor.detach().clone() for tensor in state), self.generator.get_state()])
        return all(map(torch.equal, *ends))


@contextmanager
def restoring(tensors: list[Tensor], generator: torch.Generator) -> Iterator[None]:
    """Restore the values of `tensors`, in place, and the state of `generator` after the block."""
    before, stream = [tensor.detach().clone() for tensor in tensors], generator.get_state()
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before):
                tensor.copy_(value)
        try:
            generator.set_state(stream)
        except RuntimeError:  # after a failed capture, older PyTorch still believes that the generator is being captured
            generator.graphsafe_set_state(torch.Generator(generator.device))
            generator.set_state(stream)
