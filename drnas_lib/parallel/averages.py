"""The all-reduce under process_group.py and synchronised_norm.py: the mean of tensors over all processes, on any device."""

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor


def averaged(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The mean of each value over the processes; all values have one dtype and are on one device."""
    together = torch.cat([value.reshape(-1) for value in values])
    torch.distributed.all_reduce(together)
    together.div_(torch.distributed.get_world_size())
    parts = together.split([value.numel() for value in values])
    return tuple(part.view(value.shape) for part, value in zip(parts, values))
