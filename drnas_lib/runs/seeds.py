"""Independent random streams from one seed: every epoch, image or process has its own, whatever was drawn before it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived(*numbers: int) -> int:
    """A seed made of several, such as (seed, epoch, image); 63 bits, so that every generator takes it."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


@contextmanager
def seeded(device: torch.device, *numbers: int) -> Iterator[None]:
    """PyTorch's own generators, of the CPU and of `device`, at a stream of their own within the block; as before after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derived(*numbers))
        yield


def built(seed: int, make: Callable):
    """What `make` makes, its weights drawn from `seed` on the CPU, so that every device starts alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()
