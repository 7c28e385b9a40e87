"""CPU tensors that pose as cuda:0: what a GPU would refuse or wait for is reported with the line of the library that asks for it.

A tensor is on the device if its memory was put there, by `.to`, by a factory's `device` or by an operator on tensors that are. What the
library's own code asks of a tensor, such as its `device`, is answered so; within PyTorch's functions it is what it really is.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from drnas_lib.runs.files import PROJECT

CUDA = torch.device("cuda", 0)
LIBRARY = str(PROJECT / "drnas_lib")
aten = torch.ops.aten
READS_BACK = {aten._local_scalar_dense, aten.equal, aten.nonzero, aten.masked_select, aten._unique2}
TO_THE_HOST = {Tensor.tolist, Tensor.numpy}
CHECKED_ON_A_CPU = {torch.nn.functional.one_hot}  # reads back there, and not on a GPU, whether all values are allowed


class Generator(torch.Generator):
    """A random stream of the device or of the host."""

    def __new__(cls, device: torch.device | str = "cpu"):
        made = super().__new__(cls, "cpu")
        made.place = CUDA if on_cuda(device) else torch.device("cpu")
        return made

    device = property(lambda self: self.place)


def on_cuda(device: torch.device | str) -> bool:
    return torch.device(device).type == "cuda"


def line() -> str:
    """File and line of the innermost call in the library."""
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "outside the library"


class Device:
    """`reports`: what was met, in order, as "what @ file:line"."""

    def __init__(self):
        self.reports: list[str] = []
        self.memory: dict[int, StorageWeakRef] = {}  # weak, but while one is held no other memory gets its number
        self.of_call = [False]  # whether the calls under way, outermost first, are on the device

    def holds(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.memory

    def take(self, values: object) -> None:
        """All tensors in `values` are on the device from here on."""
        for tensor in tensors_in(values):
            storage = tensor.untyped_storage()
            self.memory[storage._cdata] = StorageWeakRef(storage)

    def report(self, what: str) -> None:
        self.reports.append(f"{what} @ {line()}")


def tensors_in(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Operators(TorchDispatchMode):
    """What an operator computes lies where its inputs do; what it makes of nothing, where the call that needs it does."""

    def __init__(self, device: Device):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        inputs, packet = tensors_in((args, kwargs)), function.overloadpacket
        here = [tensor for tensor in inputs if self.device.holds(tensor)]
        if here:
            self._judge(packet, inputs, [tensor for tensor in inputs if tensor.dim() and not self.device.holds(tensor)])
        result = function(*args, **(kwargs or {}))
        if here or (self.device.of_call[-1] and not inputs):
            known = {tensor.untyped_storage()._cdata for tensor in inputs}
            self.device.take([tensor for tensor in tensors_in(result) if tensor.untyped_storage()._cdata not in known])
        return result

    def _judge(self, packet, inputs: list[Tensor], there: list[Tensor]) -> None:
        """`there`: inputs of the host; one without dimensions does not count, it travels as a number."""
        if there:
            mixes = f"mixes {tuple(there[0].shape)} of the host with the device"
            self.device.report(f"{packet} {'copies between host and device' if packet is aten.copy_ else mixes}")
        if packet in READS_BACK:
            self.device.report(f"{packet} reads back")
        if packet is aten.index and any(tensor.dtype is torch.bool for tensor in inputs[1:]):
            self.device.report("a boolean index reads back how many entries there are")


class Calls(TorchFunctionMode):
    """Answers for the device, moves tensors there and back, and looks whether random streams are where their numbers go."""

    def __init__(self, device: Device):
        super().__init__()
        self.device = device

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function == Tensor.device.__get__:
            return CUDA if self.device.holds(args[0]) else function(*args)
        if function == Tensor.is_cuda.__get__:
            return self.device.holds(args[0])
        if function is Tensor.cpu:
            return self._to(args[0], "cpu")
        if function is Tensor.to and not isinstance(args[1] if len(args) > 1 else None, Tensor):
            device, dtype, _, memory_format = torch._C._nn._parse_to(*args[1:], **kwargs)
            return self._to(args[0], device, dtype, memory_format)
        if function in TO_THE_HOST and self.device.holds(args[0]):
            self.device.report(f"{function.__name__} reads back")
        return self._called(function, args, kwargs)

    def _called(self, function, args: tuple, kwargs: dict):
        asked = kwargs.pop("device", None)
        put = asked is not None and on_cuda(asked)
        if asked is not None:
            kwargs["device"] = torch.device("cpu")
        on_device = put or (asked is None and any(map(self.device.holds, tensors_in((args, kwargs)))))
        if any(isinstance(leaf, torch.Generator) and on_cuda(leaf.device) != on_device for leaf in tree_leaves((args, kwargs))):
            self.device.report(f"{function.__name__} draws from a random stream of the other side")
        if function is torch.tensor and put:
            self.device.report("tensor copies from the host to the device")
        self.device.of_call.append(on_device)
        met = len(self.device.reports)
        try:
            result = function(*args, **kwargs)
        finally:
            self.device.of_call.pop()
        if function in CHECKED_ON_A_CPU:
            del self.device.reports[met:]
        if put:
            self.device.take(result)
        return result

    def _to(self, tensor: Tensor, device=None, dtype=None, memory_format=None) -> Tensor:
        goes, was = self.device.holds(tensor) if device is None else on_cuda(device), self.device.holds(tensor)
        if goes != was:
            self.device.report("to copies from the host to the device" if goes else "to reads back")
            tensor = tensor.clone()
            self.device.take(tensor) if goes else self.device.memory.pop(tensor.untyped_storage()._cdata)
        as_asked = {name: value for name, value in (("dtype", dtype), ("memory_format", memory_format)) if value is not None}
        return tensor.to(**as_asked) if as_asked else tensor


@contextmanager
def posing() -> Iterator[Device]:
    """Within the block torch.device("cuda") is a device. `reports` of what it gives says what was met."""
    device, group = Device(), torch._C._group_tensors_by_device_and_dtype

    def grouped(lists: list[list[Tensor]], *how):  # whose devices PyTorch's clipping and optimisers send their scalars to
        return {(found[0][0][0].device, dtype): found for (_, dtype), found in group(lists, *how).items()}

    cuda = {
        "get_rng_state": lambda *of: torch.get_rng_state(),
        "set_rng_state": lambda state, *of: None,
        "manual_seed_all": lambda seed: None,
        "reset_peak_memory_stats": lambda *of: None,
        "max_memory_allocated": lambda *of: 0,
    }
    with ExitStack() as block:
        for name, stand_in in cuda.items():
            block.enter_context(patch.object(torch.cuda, name, stand_in))
        block.enter_context(patch.object(torch, "Generator", Generator))
        block.enter_context(patch.object(torch._C, "_group_tensors_by_device_and_dtype", grouped))
        block.enter_context(Operators(device))
        block.enter_context(Calls(device))
        yield device
