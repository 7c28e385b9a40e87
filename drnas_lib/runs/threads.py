"""How many threads a CPU computes with: one where the work is small, so that no small operator waits for a second thread.

A step of a small network is thousands of operators of microseconds each, with OpenMP's barrier after each: where other programs keep a core
busy, the barrier waits for them. Measured on two idle cores, the second thread makes a search step of 2^17 values 1.2 times as quick, of
2^19 1.4 times, of 2^20 1.6 times. Sums over a batch are split among the threads, so their number decides the last digits of a result: with
one thread they do not depend on how many cores there are. The record says how many it was. Threads wait without spinning (see
drnas_lib/__init__.py). OMP_NUM_THREADS, where it is set, is obeyed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 2**19  # values of one feature map of a batch, B x C x H x W: up to here one thread


def suited(device: torch.device, batch_size: int, channels: int, pixels: int) -> int:
    """Threads for networks whose first cells see (batch_size, channels, pixels, pixels); more than one are as many as there are."""
    there, small = torch.get_num_threads(), batch_size * channels * pixels**2 <= SMALL
    return 1 if small and device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ else there


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """PyTorch with so many threads within the block; as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
