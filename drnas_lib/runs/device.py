"""The device of a run: chosen, described, and set up so that equal seeds give equal bits."""

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
