"""Capturing without a GPU: what a step does is recorded on the CPU, and with it all that a CUDA graph would not survive.

A graph replays the same kernels, with the same numbers in their arguments, on the same addresses. So a step is recorded twice, and
whatever differs would be frozen by a capture; what reads a value back or builds a tensor from host data would stop one.
"""

import traceback
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from drnas_lib.runs.files import PROJECT

aten = torch.ops.aten
PYTORCH = Path(torch.__file__).parents[1]
READS_BACK = {aten._local_scalar_dense, aten.item, aten.is_nonzero, aten.equal, aten.nonzero, aten.masked_select, aten._unique2}
MADE_OF_HOST_DATA = {aten.lift_fresh, aten.lift_fresh_copy}


def place() -> str:
    """File and line of the innermost call outside PyTorch."""
    frames = [
        frame
        for frame in traceback.extract_stack()
        if Path(frame.filename).is_relative_to(PROJECT)
        and not Path(frame.filename).is_relative_to(PYTORCH)  # which may be installed within the project, in .venv
        and frame.filename != __file__
        and frame.name != "__torch_function__"
    ]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


class FakeCapture(TorchDispatchMode):
    """`broken`: what would stop a capture, and where; `launches`: operators with shapes, types and plain arguments, in order;
    `outside`: addresses of memory that was read or written but not made within the block."""

    def __init__(self):
        super().__init__()
        self.broken: list[str] = []
        self.launches: list[tuple] = []
        self.outside: set[int] = set()
        self._made: dict[int, torch.UntypedStorage] = {}  # kept, or an address would come up twice

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function.namespace == "profiler":
            return function(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        self._judge(function, tensors)
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if function.overloadpacket in MADE_OF_HOST_DATA:
                self._made[storage.data_ptr()] = storage  # reported already
            elif storage.data_ptr() not in self._made and storage.nbytes():
                self.outside.add(storage.data_ptr())
        result = function(*args, **kwargs)
        if len({leaf.device for leaf in (*tensors, *tree_leaves(result)) if isinstance(leaf, torch.Tensor) and leaf.dim()}) > 1:
            self.broken.append(f"{place()}: {function.overloadpacket} copies between the host and the device")
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and (storage := tensor.untyped_storage()).data_ptr() not in self.outside:
                self._made[storage.data_ptr()] = storage
        self.launches.append((str(function), str(tree_map(shown, (args, kwargs)))))
        return result

    def _judge(self, function, tensors) -> None:
        packet = function.overloadpacket
        if packet in READS_BACK:
            self.broken.append(f"{place()}: {packet} reads a value back")
        if packet in MADE_OF_HOST_DATA:
            self.broken.append(f"{place()}: a tensor is made of host data")
        if packet is aten.index and any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:]):
            self.broken.append(f"{place()}: a boolean index has as many entries as the data says")


def shown(leaf):
    """Of a tensor what a kernel is chosen by; of anything else its value, which a capture would freeze."""
    if isinstance(leaf, torch.Tensor):
        return (str(leaf.dtype), tuple(leaf.shape), leaf.stride())
    return "generator" if isinstance(leaf, torch.Generator) else leaf


def recorded(action) -> FakeCapture:
    with FakeCapture() as capture:
        action()
    return capture


def problems(first: FakeCapture, second: FakeCapture) -> list[str]:
    """What would break a capture of the action that was recorded as `first` and, later, as `second`."""
    found = sorted({*first.broken, *second.broken})
    changed = [f"{a} became {b}" for a, b in zip(first.launches, second.launches) if a != b]
    if len(first.launches) != len(second.launches):
        changed.append(f"{len(first.launches)} launches became {len(second.launches)}")
    if first.outside != second.outside:
        changed.append(f"{len(first.outside ^ second.outside)} tensors from outside are no longer where they were")
    return found + changed[:3]
