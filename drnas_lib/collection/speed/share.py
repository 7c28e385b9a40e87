"""What one step does, counted, against what the device can do, measured in the same run; and where its time goes."""

import os

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from drnas_lib.collection.speed.clock import seconds, wait
from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.whole import noise, settings
from drnas_lib.search.loop import Search

MATRIX = {"cpu": 2048, "cuda": 8192}  # rows and columns of the product that shows the peak of arithmetic
COPIED = {"cpu": 1 << 27, "cuda": 1 << 31}  # bytes of the copy that shows the peak of memory
TRIES = 5
SHOWN = 12


class Counter(TorchDispatchMode):
    """`flops` (a multiply-add is two) of products and convolutions, and `bytes` that all operators must read and write, within the block.

    Each operator counts its inputs and outputs once, views nothing: what a perfect cache inside and none between operators would move.
    """

    def __init__(self):
        super().__init__()
        self.flops = self.bytes = self.operators = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        in_place = function._schema.is_mutable
        if in_place and not written:  # it returns nothing
            arguments = zip(function._schema.arguments, args)
            written = tree_leaves([value for argument, value in arguments if argument.alias_info and argument.alias_info.is_write])
        known = {tensor.untyped_storage().data_ptr() for tensor in read}
        if in_place or any(tensor.untyped_storage().data_ptr() not in known for tensor in written):
            self.bytes += sum(map(_extent, read)) + sum(map(_extent, written))
            self.operators += 1
        counted = flop_registry.get(_out_of_place(function))
        if counted is not None:
            self.flops += counted(*args, **{name: value for name, value in kwargs.items() if name != "out"}, out_val=result)
        return result


def _out_of_place(function):
    """The operator that gives its result anew: `baddbmm_` and `bmm(out=)` do the work of `baddbmm` and `bmm`."""
    name = function.overloadpacket.__name__
    return getattr(torch.ops.aten, name.rstrip("_"), None) if name.endswith("_") else function.overloadpacket


def _extent(tensor: Tensor) -> int:
    """Bytes of memory that a tensor covers; an expanded one is read from fewer than it has entries."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def peaks(device: torch.device) -> dict[str, float]:
    """The device's best here and now: FLOP/s of a large float32 product, bytes/s of a large copy. To be called in the precision judged."""
    size, count = MATRIX[device.type], COPIED[device.type] // 4
    a, b, c = (torch.randn(size, size, device=device) for _ in range(3))
    product = min(seconds(lambda: torch.mm(a, b, out=c), device) for _ in range(TRIES))
    source, target = torch.randn(count, device=device), torch.empty(count, device=device)
    copy = min(seconds(lambda: target.copy_(source), device) for _ in range(TRIES))
    return {"peak_flops": 2 * size**3 / product, "peak_bytes": 2 * COPIED[device.type] / copy}


def share_of_peak(config: SpeedConfig, device: torch.device, step_ms: float) -> dict[str, float]:
    """Of a whole step of the first K that takes `step_ms`: counts, peaks, and the shares of both that it reaches."""
    search = _ready(config, device)
    with Counter() as counter:
        search.launcher.run_step(True)
    best = peaks(device)
    shares = {
        "flops_share": counter.flops / (step_ms / 1e3) / best["peak_flops"],
        "bytes_share": counter.bytes / (step_ms / 1e3) / best["peak_bytes"],
    }
    counts = {"k": config.ks[0], "gflop": counter.flops / 1e9, "gbyte": counter.bytes / 1e9, "operators": counter.operators}
    return counts | {"step_ms": step_ms, **best, **shares}


def profiled(config: SpeedConfig, device: torch.device) -> list[dict]:
    """Where the device's time of one step goes: rows of name, calls, ms and share, the longest first, the rest as one row."""
    search = _ready(config, device)
    activities = {"cpu": [ProfilerActivity.CPU], "cuda": [ProfilerActivity.CPU, ProfilerActivity.CUDA]}[device.type]
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells standard error that it starts, and that a CPU is no GPU
    with profile(activities=activities) as found:
        search.launcher.number.zero_()
        search.launcher.run_step(True)
        wait(device)
    on_gpu = device.type == "cuda"
    events = [event for event in found.key_averages() if not on_gpu or event.device_type == DeviceType.CUDA]
    spent = "self_device_time_total" if on_gpu else "self_cpu_time_total"  # microseconds
    times = sorted((getattr(event, spent) / 1e3, event.count, event.key) for event in events)
    whole, longest = sum(ms for ms, _, _ in times), times[: -SHOWN - 1 : -1]
    rows = [{"name": key, "calls": count, "ms": ms, "share": ms / whole} for ms, count, key in longest]
    rest = times[:-SHOWN]
    ms = sum(entry[0] for entry in rest)
    return [*rows, {"name": f"{len(rest)} others", "calls": sum(entry[1] for entry in rest), "ms": ms, "share": ms / whole}]


def _ready(config: SpeedConfig, device: torch.device) -> Search:
    """A search whose first step is over and whose next one is at hand."""
    search = Search(settings(config, config.ks[0]), noise(4 * config.batch_size), device, capture=False)
    plan = search.train.plan(config.batch_size, search.order, steps=1)
    list(search.launcher.epoch(plan, plan, True))
    search.launcher.number.zero_()
    return search
