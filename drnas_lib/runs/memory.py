"""The memory that a step keeps for its backward pass, equal on every device; and what to do where memory runs out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def activation_bytes(forward: Callable[[], Tensor], exclude: list[Tensor]) -> int:
    """Bytes of the distinct storages that autograd saves during `forward()`, without those of `exclude` (parameters, input)."""
    known = {tensor.untyped_storage().data_ptr() for tensor in exclude}
    saved: dict[int, int] = {}
    alive = []  # a new storage could get the address of a freed one

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            saved[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = forward()
    del output
    return sum(saved.values())


@contextmanager
def advice_where_memory_runs_out(error: type[Exception], when: str, advice: str) -> Iterator[None]:
    """Raise `error` with this advice in place of PyTorch's own error, on a GPU and on a CPU."""
    try:
        yield
    except RuntimeError as cause:
        if isinstance(cause, torch.OutOfMemoryError) or "can't allocate memory" in str(cause):  # on a GPU, on a CPU
            raise error(f"out of memory {when} ({str(cause).splitlines()[0]}). {advice}") from cause
        raise
