"""How many threads a CPU computes with: one if the work is small, so that no small operator waits for a second thread.

A step of a small network is thousands of operators of microseconds each, with OpenMP's barrier after each: where other programs keep a core
busy, the barrier waits for them. Measured on two idle cores, the second thread makes a search step of 2^17 values 1.2 times as fast, of
2^19 1.4 times, of 2^20 1.6 times. Sums over a batch are split among the threads, so their number decides the last digits of a result; one
thread gives the same digits on any number of cores. The record has the number. Threads wait without spinning (see drnas_lib/__init__.py).
OMP_NUM_THREADS overrides the choice.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 2**19  # values of one feature map of a batch, B x C x H x W: up to this size one thread


def choose(device: torch.device, batch_size: int, channels: int, pixels: int) -> int:
    """Threads for networks whose first cells see (batch_size, channels, pixels, pixels): 1, or as many as PyTorch has now."""
    small = batch_size * channels * pixels**2 <= SMALL
    return 1 if small and device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ else torch.get_num_threads()


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Let PyTorch compute with `threads` threads within the block, and restore the number after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
