"""The arithmetic of one step in two implementations, in turn in one process, so that a drifting machine slows both equally."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.meters import gpu_peak_mb, operators, seconds
from drnas_lib.collection.speed.plain import implementations
from drnas_lib.runs.memory import activation_bytes
from drnas_lib.search.bilevel import frozen
from drnas_lib.spaces import SPACES


def supernet_steps(config: SpeedConfig, device: torch.device) -> pd.DataFrame:
    """Time and memory of one search step's arithmetic (eta gradient and weight gradient) for each K and implementation.

    Columns: k, implementation, eta_ms, weights_ms, step_ms (medians of the repeats), step_ms_min, step_ms_max, images_per_s,
    activation_mb (kept for the backward pass of the weight step), operators (launched by both gradients), gpu_peak_mb (None on a CPU).
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(config.batch_size, 3, 32, 32, generator=generator).to(device)
    y = torch.randint(10, (config.batch_size,), generator=generator).to(device)
    theta = torch.rand(SPACES[config.space].shape, generator=generator).softmax(-1).to(device).requires_grad_()
    rows = []
    for k in config.ks:
        nets = {name: make(k, config.channels, config.cells).to(device) for name, make in implementations(config.space).items()}
        times: dict[str, list[list[float]]] = {name: [] for name in nets}
        for _ in range(1 + config.repeats):
            for name, net in nets.items():
                times[name].append([1e3 * seconds(gradient, device) for gradient in _gradients(net, x, y, theta)])
        for name, net in nets.items():
            eta, weights = np.array(times[name][1:]).T  # the first repeat warms up
            step, gradients = eta + weights, _gradients(net, x, y, theta)
            kept = activation_bytes(partial(net, x, theta.detach()), [x, theta, *net.parameters()])
            rows.append(
                {
                    "k": k,
                    "implementation": name,
                    "eta_ms": np.median(eta),
                    "weights_ms": np.median(weights),
                    "step_ms": np.median(step),
                    "step_ms_min": step.min(),
                    "step_ms_max": step.max(),
                    "images_per_s": 1e3 * config.batch_size / np.median(step),
                    "activation_mb": kept / 1e6,
                    "operators": sum(map(operators, gradients)),
                    "gpu_peak_mb": gpu_peak_mb(gradients[1], device),
                }
            )
    return pd.DataFrame(rows)


def _gradients(net: nn.Module, x: Tensor, y: Tensor, theta: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    """Functions that compute the gradient of theta, with frozen weights as in a search, and the gradient of the weights."""
    parameters = list(net.parameters())

    def of_theta() -> object:
        with frozen(parameters):
            return torch.autograd.grad(F.cross_entropy(net(x, theta), y), theta)

    return of_theta, lambda: torch.autograd.grad(F.cross_entropy(net(x, theta.detach()), y), parameters)
