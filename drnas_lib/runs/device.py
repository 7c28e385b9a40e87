"""The device and the number of threads of a run: chosen, described, and set up so that equal seeds give equal bits.

A CPU computes small networks with one thread: OpenMP's barrier after each operator of microseconds waits for a core that others keep busy.
On two idle cores the second thread makes a search step of 2^17 values 1.2 times as fast, of 2^19 1.4 times, of 2^20 1.6 times.
The number of threads, which the record has, decides the last digits of sums over a batch; one thread gives the same ones on any number
of cores. Threads wait without spinning (see drnas_lib/__init__.py). OMP_NUM_THREADS overrides the choice.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from drnas_lib.errors import UserError
from drnas_lib.runs.precision import FLOAT32, Precision

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST_MMAP_THRESHOLD = 32 << 20
SMALL = 2**19  # values of one feature map of a batch, B x C x H x W: up to this size one thread


class DeviceError(UserError, RuntimeError):
    """The requested device does not exist, or its memory is not enough."""


def choose(name: str, precision: str = "float32") -> torch.device:
    """The device of this name; `auto` is the GPU if there is one. Raises DeviceError if it does not exist or lacks the precision."""
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    if device.type == "cpu" and precision == "tf32":
        raise DeviceError("precision='tf32' needs a GPU: on a CPU float32 and bf16 are allowed.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            allowed = ", ".join(["auto", "cpu", *(f"cuda:{index}" for index in range(count))])
            raise DeviceError(f"device={name!r}, but this machine shows {count} CUDA devices to PyTorch. Allowed here are {allowed}.")
    return device


def describe(device: torch.device) -> str:
    """The device as a record names it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} {'thread' if threads == 1 else 'threads'}"


@contextmanager
def reproducible(device: torch.device, precision: Precision = FLOAT32) -> Iterator[None]:
    """Use the arithmetic of `precision` and deterministic kernels within the block, and restore the settings after it."""
    if device.type == "cpu":
        keep_freed_memory()
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with precision.arithmetic():
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def keep_freed_memory() -> None:
    """Let glibc reuse large freed blocks: new pages from the system cost more time than the arithmetic on them."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def threads_for(device: torch.device, batch_size: int, channels: int, pixels: int) -> int:
    """Threads for networks whose first cells see (batch_size, channels, pixels, pixels): 1, or as many as PyTorch has now."""
    small = batch_size * channels * pixels**2 <= SMALL
    return 1 if small and device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ else torch.get_num_threads()


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Let PyTorch compute with `threads` threads within the block, and restore the number after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
