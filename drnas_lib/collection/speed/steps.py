"""The arithmetic of one step in two implementations: in turn, in one process, so that a drifting machine hurts both alike."""

import statistics
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.collection.speed.clock import seconds
from drnas_lib.collection.speed.operators import operators
from drnas_lib.collection.speed.plain import implementations
from drnas_lib.runs.memory import activation_bytes
from drnas_lib.search.bilevel import frozen
from drnas_lib.spaces import SPACES


def supernet_steps(
    space: str, ks: list[int], batch_size: int, cells: int, channels: int, repeats: int, device: torch.device, size: int = 32
) -> pd.DataFrame:
    """Time and memory of one search step's arithmetic (eta gradient and weight gradient) for each K and implementation.

    Columns: k, implementation, eta_ms, weights_ms, step_ms (medians of `repeats` interleaved runs), step_ms_min, step_ms_max, images_per_s,
    activation_mb (kept for the backward pass of the weight step), operators (launched by both halves), gpu_peak_mb (None on a CPU).
    """
    shape = SPACES[space].shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, 3, size, size, generator=generator).to(device)
    y = torch.randint(10, (batch_size,), generator=generator).to(device)
    theta = torch.rand(shape, generator=generator).softmax(-1).to(device).requires_grad_()
    makers, rows = implementations(space), []
    for k in ks:
        nets = {name: make(k, channels, cells).to(device) for name, make in makers.items()}
        times = {name: [] for name in nets}
        for repeat in range(repeats + 1):
            for name, net in nets.items():
                eta, weights = (seconds(work, device) for work in _halves(net, x, y, theta))
                if repeat > 0:  # the first run warms up
                    times[name].append((1e3 * eta, 1e3 * weights))
        for name, net in nets.items():
            eta, weights = zip(*times[name])
            steps = [a + b for a, b in times[name]]
            rows.append(
                {
                    "k": k,
                    "implementation": name,
                    "eta_ms": statistics.median(eta),
                    "weights_ms": statistics.median(weights),
                    "step_ms": statistics.median(steps),
                    "step_ms_min": min(steps),
                    "step_ms_max": max(steps),
                    "images_per_s": batch_size / statistics.median(steps) * 1e3,
                    "activation_mb": activation_bytes(lambda net=net: net(x, theta.detach()), [x, theta, *net.parameters()]) / 1e6,
                    "operators": sum(map(operators, _halves(net, x, y, theta))),
                    "gpu_peak_mb": _gpu_peak(net, x, y, theta) if device.type == "cuda" else None,
                }
            )
    return pd.DataFrame(rows)


def _halves(net, x: Tensor, y: Tensor, theta: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    """The gradient of theta, as in a search without any gradient of the weights; and the gradient of the weights."""
    parameters = list(net.parameters())

    def of_theta():
        with frozen(parameters):
            return torch.autograd.grad(F.cross_entropy(net(x, theta), y), theta)

    return of_theta, lambda: torch.autograd.grad(F.cross_entropy(net(x, theta.detach()), y), parameters)


def _gpu_peak(net, x, y, theta) -> float:
    torch.cuda.reset_peak_memory_stats(x.device)
    torch.autograd.grad(F.cross_entropy(net(x, theta.detach()), y), list(net.parameters()))
    return torch.cuda.max_memory_allocated(x.device) / 1e6


def ratios(table: pd.DataFrame, value: str = "step_ms") -> pd.Series:
    """Plain over ours for every K."""
    wide = table.pivot(index="k", columns="implementation", values=value)
    return (wide.plain / wide.ours).rename(f"plain / ours, {value}")
