"""CUDA graphs and streams without a GPU: a capture writes the operators of a step down, a replay runs them again on the same tensors.

As in a real graph all that is not a tensor is frozen: numbers of the host, shapes, addresses.
"""

from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from drnas_lib.search import loop as search
from drnas_lib.search.cuda_graph import GraphedSteps


class Graph(TorchDispatchMode):
    """A capture that does what the step does."""

    def __init__(self):
        super().__init__()
        self.lines: list[tuple] = []  # operator, arguments, result

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.lines.append((function, args, kwargs or {}, result))
        return result

    def end(self) -> None:
        """The capture is complete."""

    @torch.no_grad()
    def replay(self) -> None:
        for function, args, kwargs, before in self.lines:
            self.again(before, function, args, kwargs)

    def again(self, before, function, args, kwargs) -> None:
        for old, new in zip(tree_leaves(before), tree_leaves(function(*args, **kwargs))):
            if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():  # neither a view nor in place
                old.copy_(new)


class FrozenDraws(Graph):
    """A capture that does not know of the random stream: it draws the same numbers again and leaves the stream where it is."""

    def again(self, before, function, args, kwargs) -> None:
        if not any(isinstance(leaf, torch.Generator) for leaf in tree_leaves((args, kwargs))):
            super().again(before, function, args, kwargs)


class Raising(Graph):
    """A capture that fails at its end, when everything has been done."""

    error: Exception = RuntimeError("operation failed due to a previous error during capture\nand a second line")

    def end(self) -> None:
        raise self.error


class NotPermitted(Raising):
    """A capture that fails in the middle."""

    error = NotImplementedError()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if len(self.lines) == 200:
            self.end()
        return super().__torch_dispatch__(function, types, args, kwargs)


class OutOfMemory(Raising):
    error = torch.OutOfMemoryError("CUDA out of memory")


class Stream:
    """Work is done when it is launched, so there is nothing to wait for."""

    def __init__(self, device: torch.device | None = None):
        pass

    def wait_stream(self, other: "Stream") -> None:
        pass

    def record_event(self) -> "Stream":
        return self

    def synchronize(self) -> None:
        pass


class Streams:
    """What torch.cuda knows of streams and graphs; `current` is the stream that work is launched on."""

    def __init__(self):
        self.default = self.current = Stream()

    def current_stream(self, device: torch.device) -> Stream:
        return self.current

    def set_stream(self, stream: Stream) -> None:
        self.current = stream

    @contextmanager
    def stream(self, stream: Stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def graph(self, graph: Graph, pool: object, stream: Stream, capture_error_mode: str):
        """As in PyTorch, the stream of a capture that failed stays the current one."""
        before, self.current = self.current, stream
        with graph:
            yield
        graph.end()
        self.current = before

    @contextmanager
    def device(self, device: torch.device):
        yield


class CapturingLauncher(GraphedSteps):
    """Captures on a CPU what the launcher captures on a GPU."""

    def __init__(self, step, train, valid, generator, capture=True):
        super().__init__(step, train, valid, generator, capture)
        self.captures = capture and step.capturable
        self.stream, self.pool = torch.cuda.Stream(self.device), torch.cuda.graph_pool_handle()


def stand_in(monkeypatch: pytest.MonkeyPatch, graph: type[Graph], launcher: type[GraphedSteps] = CapturingLauncher) -> Streams:
    """From here on searches capture their steps as `graph`; with the usual launcher only those on a GPU, such as one that poses."""
    streams = Streams()
    for name in ("current_stream", "set_stream", "stream", "graph", "device"):
        monkeypatch.setattr(torch.cuda, name, getattr(streams, name))
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(search, "GraphedSteps", launcher)
    return streams
