"""One search step against what the device can do, counted and measured in the same run; and where its time goes."""

import os

import pandas as pd
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.meters import Counter, seconds, wait
from drnas_lib.collection.speed.steps import random_dataset, settings
from drnas_lib.search.loop import Search

MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns of the product that shows the peak FLOP/s
COPIED = {"cpu": 1 << 27, "cuda": 1 << 31}  # bytes of the copy that shows the peak bytes/s
TRIES = 5
SHOWN = 12


def peaks(device: torch.device) -> dict[str, float]:
    """FLOP/s of a large float32 product and bytes/s of a large copy, in the precision that PyTorch is set to."""
    size, count = MATRIX[device.type], COPIED[device.type] // 4
    a, b, c = (torch.randn(size, size, device=device) for _ in range(3))
    product = min(seconds(lambda: torch.mm(a, b, out=c), device) for _ in range(TRIES))
    source, target = torch.randn(count, device=device), torch.empty(count, device=device)
    copy = min(seconds(lambda: target.copy_(source), device) for _ in range(TRIES))
    return {"peak_flops": 2 * size**3 / product, "peak_bytes": 2 * COPIED[device.type] / copy}


def share_of_peak(config: SpeedConfig, device: torch.device, step_ms: float) -> dict[str, float]:
    """Counts of a whole step of the first K, which takes `step_ms`; peaks of the device, and the shares of both that the step reaches.

    `gflop` are those of products and convolutions, where a multiply-add is two.
    """
    search = _after_first_step(config, device)
    with FlopCounterMode(display=False) as flop_counter, Counter() as counter:
        search.launcher.run_step(True)
    best, flops = peaks(device), flop_counter.get_total_flops()
    counts = {"gflop": flops / 1e9, "gbyte": counter.bytes / 1e9, "operators": counter.operators}
    flops_share = flops / (step_ms / 1e3) / best["peak_flops"]
    bytes_share = counter.bytes / (step_ms / 1e3) / best["peak_bytes"]
    return {"k": config.ks[0], **counts, "step_ms": step_ms, **best, "flops_share": flops_share, "bytes_share": bytes_share}


def profiled(config: SpeedConfig, device: torch.device) -> pd.DataFrame:
    """Where the device's time of one step goes. Columns name, calls, ms, share; the longest first, the rest in the last row."""
    search, on_gpu = _after_first_step(config, device), device.type == "cuda"
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler writes to standard error that it starts, and that a CPU is no GPU
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        search.launcher.number.zero_()
        search.launcher.run_step(True)
        wait(device)
    spent = "self_device_time_total" if on_gpu else "self_cpu_time_total"  # microseconds
    events = [event for event in found.key_averages() if not on_gpu or event.device_type == DeviceType.CUDA]
    rows = [{"name": event.key, "calls": event.count, "ms": getattr(event, spent) / 1e3} for event in events]
    table = pd.DataFrame(rows).sort_values("ms", ascending=False, ignore_index=True)
    rest = table[SHOWN:]
    others = {"name": f"{len(rest)} others", "calls": rest.calls.sum(), "ms": rest.ms.sum()}
    shown = pd.concat([table[:SHOWN], pd.DataFrame([others])], ignore_index=True)
    return shown.assign(share=shown.ms / table.ms.sum())


def _after_first_step(config: SpeedConfig, device: torch.device) -> Search:
    """A search that has taken its first step and is ready to take the next."""
    search = Search(settings(config, config.ks[0]), random_dataset(4 * config.batch_size), device, capture=False)
    plan = search.train.plan(config.batch_size, search.image_generator, steps=1)
    list(search.launcher.epoch(plan, plan, True))
    search.launcher.number.zero_()
    return search
