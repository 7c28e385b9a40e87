"""Seconds and GPU memory of work on a device, which may still be running when a call returns."""

import time
from collections.abc import Callable

import torch


def wait(device: torch.device) -> None:
    """Return when the device has finished all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """The time of one call, until the device has finished."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def reset_gpu_peak(device: torch.device) -> None:
    """Start to measure the most GPU memory anew."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def gpu_peak_mb(device: torch.device) -> float | None:
    """The most GPU memory allocated since the reset, in MB; None on a CPU."""
    wait(device)
    return torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
