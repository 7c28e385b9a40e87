"""What a piece of work takes on a device: seconds, GPU memory, and operators to launch."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

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


class _Counter(TorchDispatchMode):
    """Counts the operators called within the block, forward and backward, that are neither views nor allocate without computing."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in function._schema.returns)
        self.count += not is_view and function.namespace == "aten" and function.overloadpacket.__name__ not in LAUNCH_NOTHING
        return function(*args, **(kwargs or {}))


def operators(work: Work) -> int:
    """The number of operators that `work` launches, forward and backward."""
    with _Counter() as counter:
        work()
    return counter.count
