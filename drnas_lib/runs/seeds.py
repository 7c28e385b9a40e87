"""Independent random streams from one seed: one for each epoch, image or process, whatever was drawn before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import nn

Built = TypeVar("Built", bound=nn.Module)


def derive_seed(*numbers: int) -> int:
    """A seed made of several numbers, such as (seed, epoch, image); 63 bits, so that every generator accepts it."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def seeded(device: torch.device, *numbers: int) -> Iterator[None]:
    """Seed PyTorch's global generators, of the CPU and of `device`, within the block, and restore them after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive_seed(*numbers))
        yield


def build_seeded(seed: int, make: Callable[[], Built]) -> Built:
    """The module that `make` builds, its weights drawn from `seed` on the CPU, so that every device starts with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
