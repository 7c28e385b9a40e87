"""The time of search steps: their arithmetic alone, whole steps from the batch to the metrics, and several searches at once.

Implementations take turns in one process, so that a drifting machine slows all equally.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.meters import gpu_peak_mb, operators, seconds
from drnas_lib.collection.speed.plain import PlainSearch, implementations
from drnas_lib.collection.views.published import paper_table
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.data.image_set import ImageSet
from drnas_lib.data.sources import DATASETS, Dataset
from drnas_lib.runs.memory import activation_bytes
from drnas_lib.search.bilevel import frozen
from drnas_lib.search.loop import Search
from drnas_lib.spaces import SPACES

SIZE, CLASSES = 32, 10
EPOCHS = {"nb201": 100, "darts": 50}  # of the released search with K = 1
DEFAULT_AT_ONCE = {"cpu": [1, 2], "cuda": [1, 2, 4, 8]}


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
            medians = {"eta_ms": np.median(eta), "weights_ms": np.median(weights), "step_ms": np.median(step)}
            spread = {"step_ms_min": step.min(), "step_ms_max": step.max(), "images_per_s": 1e3 * config.batch_size / np.median(step)}
            memory = {
                "activation_mb": kept / 1e6,
                "operators": sum(map(operators, gradients)),
                "gpu_peak_mb": gpu_peak_mb(gradients[1], device),
            }
            rows.append({"k": k, "implementation": name} | medians | spread | memory)
    return pd.DataFrame(rows)


def _gradients(net: nn.Module, x: Tensor, y: Tensor, theta: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    """Functions that compute the gradient of theta, with frozen weights as in a search, and the gradient of the weights."""
    parameters = list(net.parameters())

    def of_theta() -> object:
        with frozen(parameters):
            return torch.autograd.grad(F.cross_entropy(net(x, theta), y), theta)

    return of_theta, lambda: torch.autograd.grad(F.cross_entropy(net(x, theta.detach()), y), parameters)


def random_dataset(images: int) -> Dataset:
    """Random pixels in the shapes of CIFAR-10, since the time of a step does not depend on the pixels."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    labels, row = torch.randint(CLASSES, (images,), generator=generator), DATASETS["cifar10"]
    described = row.mean, row.std, row.pad, row.flip, row.shuffled, "random pixels", "none"
    return Dataset("noise", ImageSet(pixels, labels), None, CLASSES, *described)


def settings(config: SpeedConfig, k: int, seed: int = 0, **changes) -> SearchSettings:
    """The released CIFAR-10 search with `changes`, in one stage with this `k` and all operations, without a warm-up of eta."""
    size = {name: getattr(config, name) for name in ("space", "batch_size", "cells", "channels", "precision", "device")}
    stage = dict(epochs=[EPOCHS[config.space]], k=[k], keep=[len(SPACES[config.space].operations)], arch_warmup=[0])
    return SearchConfig.of(size | stage | dict(dataset="cifar10", seed=seed) | changes).settings()


def plain(these: SearchSettings, dataset: Dataset, device: torch.device, count: int) -> Iterator[object]:
    """An iterator that takes `count` steps of the plain search."""
    return PlainSearch(these, dataset, device).steps(count)


def ours(these: SearchSettings, dataset: Dataset, device: torch.device, count: int, capture: bool = True) -> Iterator[int]:
    """An iterator that launches `count` steps of the library's search, with CUDA graphs if `capture`."""
    return launched_steps(Search(these, dataset, device, capture), count)


def launched_steps(search: Search, count: int) -> Iterator[int]:
    """An iterator that launches `count` steps of a search, which train weights and eta."""
    batch_size = search.settings.batch_size
    search.step.weight_optimiser.set_lr(search.settings.weight_lr)
    train = search.train.plan(batch_size, search.image_generator, steps=count)
    return search.launcher.epoch(train, search.valid.plan(batch_size, search.image_generator, steps=count), True)


Steps = Callable[[SearchSettings, Dataset, torch.device, int], Iterator[object]]
IMPLEMENTATIONS: dict[str, Steps] = {"plain": plain, "ours": ours}


def steps_per_round(config: SpeedConfig, device: torch.device) -> int:
    """As configured, or one on a CPU, and on a GPU as many as make all rounds an epoch."""
    steps_of_epoch = config.images // 2 // config.batch_size
    return config.steps or (1 if device.type == "cpu" else max(1, (steps_of_epoch - 1) // config.repeats))


def whole_steps(config: SpeedConfig, device: torch.device, implementations: Mapping[str, Steps] = IMPLEMENTATIONS) -> pd.DataFrame:
    """Batches, augmentation, theta, both steps, both optimisers and metrics, of all implementations in turn, for each K.

    Columns: k, implementation, step_ms (median of the rounds), step_ms_min, step_ms_max, timed_steps, images_per_s (training images; as
    many validation images pass), epoch_s and search_s (extrapolated from step_ms), gpu_peak_mb and paper_gpu_mb (Table 1; None on a CPU,
    or for a K that is not in the table).
    """
    dataset, paper, rows = random_dataset(config.images), paper_memory(config.space), []
    steps_of_epoch, together = config.images // 2 // config.batch_size, steps_per_round(config, device)
    for k in config.ks:
        searches: dict[str, Iterator[object]] = {}
        times: dict[str, list[float]] = {name: [] for name in implementations}
        peaks: dict[str, float | None] = {}
        for name, make in implementations.items():
            searches[name] = make(settings(config, k), dataset, device, 1 + config.repeats * together)
            peaks[name] = gpu_peak_mb(partial(next, searches[name]), device)  # it warms up, and captures
        for _ in range(config.repeats):
            for name, steps in searches.items():
                times[name].append(1e3 * seconds(partial(list, islice(steps, together)), device) / together)
        for name, measured in times.items():
            step = statistics.median(measured)
            spread = {"step_ms": step, "step_ms_min": min(measured), "step_ms_max": max(measured), "timed_steps": config.repeats * together}
            speed = {"images_per_s": 1e3 * config.batch_size / step, "epoch_s": steps_of_epoch * step / 1e3}
            memory = {"gpu_peak_mb": peaks[name], "paper_gpu_mb": paper.get(k) if peaks[name] else None}
            rows.append({"k": k, "implementation": name, **spread, **speed, "search_s": EPOCHS[config.space] * speed["epoch_s"], **memory})
        searches.clear()  # frees their memory before the next ones start
    return pd.DataFrame(rows)


def at_once(config: SpeedConfig, device: torch.device) -> pd.DataFrame:
    """Several searches of the first K taking turns, each with its own seed.

    Columns: searches, step_ms (for one step of each), images_per_s (of all), over_one (their time over the time of one).
    """
    dataset, rows = random_dataset(config.images), []
    steps = config.repeats * steps_per_round(config, device)
    for count in config.at_once or DEFAULT_AT_ONCE[device.type]:
        searches = [ours(settings(config, config.ks[0], seed), dataset, device, 1 + steps) for seed in range(count)]
        for search in searches:
            next(search)
        step = 1e3 * seconds(partial(list, zip(*searches)), device) / steps
        rows.append({"searches": count, "step_ms": step, "images_per_s": 1e3 * count * config.batch_size / step})
    return pd.DataFrame(rows).assign(over_one=lambda table: table.step_ms / table.step_ms.iloc[0])


def paper_memory(space: str) -> dict[int, int]:
    """GPU memory in MB by K on CIFAR-10, from Table 1 of the paper, which is of NAS-Bench-201; empty for another space."""
    if space != "nb201":
        return {}
    return {row["k"]: row["gpu_memory_mb"] for row in paper_table(1)["rows"] if row["dataset"] == "cifar10"}
