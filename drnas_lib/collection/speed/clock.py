"""Seconds of what runs on a device, which may still be at work when a call returns."""

import time
from collections.abc import Callable

import torch


def wait(device: torch.device) -> None:
    """Until the device has finished all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(action: Callable[[], object], device: torch.device) -> float:
    """One call, until the device has finished."""
    wait(device)
    began = time.perf_counter()
    action()
    wait(device)
    return time.perf_counter() - began
