"""The memory that a training step keeps for its backward pass: equal on every device, so it can be compared without a GPU."""

from collections.abc import Callable

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
