"""What a piece of work takes on a device: seconds, GPU memory, and operators to launch."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LAUNCH_NOTHING = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "lift_fresh"}
Work = Callable[[], object]


def wait(device: torch.device) -> None:
    """Return when the device has finished all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Work, device: torch.device) -> float:
    """The time of one call, until the device has finished."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def gpu_peak_mb(work: Work, device: torch.device) -> float | None:
    """The most GPU memory that is allocated during one call, in MB; None on a CPU, where the call is made too."""
    if device.type != "cuda":
        work()
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    work()
    return torch.cuda.max_memory_allocated(device) / 1e6


class Counter(TorchDispatchMode):
    """`operators` launched within the block, forward and backward, and the `bytes` that they must read and write.

    An operator reads and writes each of its tensors once, as if caches were perfect within operators and absent between. Views, and memory
    that is allocated without content, count for nothing.
    """

    bytes = operators = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result, schema = function(*args, **(kwargs or {})), function._schema
        is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in schema.returns)
        if not is_view and function.namespace == "aten" and function.overloadpacket.__name__ not in LAUNCH_NOTHING:
            # An operator in place may return nothing; then it writes the arguments that it marks.
            written = result if schema.returns else [value for argument, value in zip(schema.arguments, args) if argument.alias_info]
            self.operators += 1
            self.bytes += sum(_extent(leaf) for leaf in tree_leaves((args, kwargs, written)) if isinstance(leaf, Tensor))
        return result


def _extent(tensor: Tensor) -> int:
    """Bytes of memory that a tensor covers, fewer than those of its entries where it is expanded."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def operators(work: Work) -> int:
    """The number of operators that `work` launches, forward and backward."""
    with Counter() as counter:
        work()
    return counter.operators
