"""A session on a GPU: makes the measurements that need one, part by part in a few minutes, then continues a full search.

    python -m drnas_lib.collection.speed.gpu_session --minutes 8 --out results/gpu_session
    python -m drnas_lib.collection.speed.gpu_session --dry-run --out FOLDER    # every part, tiny, on the CPU

Each part writes FOLDER/<part>.json when it ends or fails. The same command again runs the parts left, and continues the search.
"""

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.speed.plain import implementations
from drnas_lib.collection.speed.steps import Steps, launched_steps, ours, plain, random_dataset, settings, whole_steps
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import file_of_parameters
from drnas_lib.config.search import SearchConfig, SearchSettings
from drnas_lib.config.space_rules import RULES
from drnas_lib.data.sources import Dataset
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.runs.device import DeviceError, choose, describe, reproducible
from drnas_lib.runs.files import PROJECT, environment, read_json, write_json
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.search.loop import Epoch, Search, SharedDevice
from drnas_lib.search.run import run_stepwise
from drnas_lib.spaces import SPACES

CPU = torch.device("cpu")
NO_GRAPHS = "a CPU has no CUDA graphs"


@dataclass(frozen=True)
class Session:
    """Device and sizes of the parts below: `sizes` by space, `search` the parameters of the search that runs until `ends`."""

    device: torch.device
    sizes: dict[str, SpeedConfig]
    search: dict
    ends: float  # time.monotonic()

    @classmethod
    def full(cls, device: torch.device, out: Path, ends: float) -> "Session":
        timed: dict[str, Any] = dict(repeats=3, steps=8, images=10_000)
        sizes = {"nb201": SpeedConfig(ks=[1, 4, 8], **timed), "darts": SpeedConfig(space="darts", ks=[4], cells=8, **timed)}
        search = file_of_parameters(PROJECT / "params" / "search" / "nb201_cifar10_drnas_paper.yaml")
        return cls(device, sizes, search | {"results": str(out), "device": str(device)}, ends)

    @classmethod
    def tiny(cls, out: Path, ends: float) -> "Session":
        timed: dict[str, Any] = dict(repeats=1, steps=1, images=32, batch_size=4, channels=8)
        sizes = {"nb201": SpeedConfig(ks=[4], cells=1, **timed), "darts": SpeedConfig(space="darts", ks=[4], cells=3, **timed)}
        search = dict(dataset="digits", epochs=[2], cells=1, channels=4, subset=64, batch_size=16, evaluate="none")
        return cls(CPU, sizes, search | {"results": str(out), "device": "cpu"}, ends)

    def is_over(self) -> bool:
        return time.monotonic() > self.ends


def equality(session: Session) -> dict:
    """The largest relative difference between device and CPU in what COMPARED computes. Raises ArithmeticError where it is too large."""
    found = {}
    for space, config in session.sizes.items():
        for precision, (compute, most) in COMPARED.items():
            found[f"{space}, {precision}"] = difference = _difference(compute(config, session.device), compute(config, CPU))
            if not difference <= most:  # NaN too
                raise ArithmeticError(f"{space}, {precision}: GPU and CPU differ by {difference:.3g}, allowed is {most:.0e}")
    return found


def _supernet(config: SpeedConfig, device: torch.device) -> list[Tensor]:
    """Loss, gradients of theta and weights, running statistics."""
    draw = torch.Generator().manual_seed(0)
    net = build_seeded(0, lambda: implementations(config.space)["ours"](config.ks[0], config.channels, config.cells)).double().to(device)
    x = torch.randn(4, 3, 32, 32, generator=draw, dtype=torch.float64).to(device)
    theta = torch.rand(SPACES[config.space].shape, generator=draw, dtype=torch.float64).softmax(-1).to(device).requires_grad_()
    loss = F.cross_entropy(net(x, theta), torch.arange(4, device=device))
    return [loss, *torch.autograd.grad(loss, [theta, *net.parameters()]), *net.buffers()]


def _step(config: SpeedConfig, device: torch.device) -> list[Tensor]:
    """Running statistics, momentum of the weights and of eta. Theta is its mean, since each device draws other numbers."""
    search = Search(settings(config, config.ks[0]), random_dataset(2 * config.batch_size), device)
    search.method.sample = lambda generator: search.method.mean().float()  # type: ignore[method-assign]
    list(launched_steps(search, 1))
    of_eta = search.arch_optimiser.state[search.variables.eta]["exp_avg"]
    return [*search.step.net.buffers(), *search.step.momentum().values(), of_eta]


COMPARED = {"float64": (_supernet, 1e-8), "float32": (_step, 1e-2)}  # with the largest difference allowed, relative to the largest value


def _difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    pairs = [(a.detach().cpu().double(), b.detach().double()) for a, b in zip(ours, theirs, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-12)) for a, b in pairs)


def captures(session: Session) -> list[dict]:
    """For every method in every space, and DrNAS of second order, whether its captured step was proved equal to the step; if not, why."""
    rows = []
    for space, config in session.sizes.items():
        methods: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in RULES[space].methods or METHODS]
        for method, changes in [*methods, ("drnas", {"bilevel": "second"})]:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                search = Search(
                    settings(config, config.ks[0], method=method, **changes), random_dataset(2 * config.batch_size), session.device
                )
                list(launched_steps(search, 1))
            captured = search.launcher.captures
            because = NO_GRAPHS if session.device == CPU else [str(each.message) for each in caught] or "its host has to know what is drawn"
            rows.append({"space": space, "method": method, **changes, "captured": captured} | ({} if captured else {"because": because}))
    return rows


def memory_formats(session: Session) -> list[dict]:
    """Times of a step of the NAS-Bench-201 supernet in either memory format."""

    def steps(memory_format: torch.memory_format, these: SearchSettings, data: Dataset, device: torch.device, count: int) -> Iterator[int]:
        search = Search(these, data, device)
        net = cast(Nb201SuperNet, search.step.net)
        net.memory_format = memory_format
        search.start_stage(net.to(memory_format=memory_format), 0)  # with optimisers of that format
        return launched_steps(search, count)

    formats = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}
    implementations = {name: partial(steps, memory_format) for name, memory_format in formats.items()}
    return whole_steps(session.sizes["nb201"], session.device, implementations).to_dict("records")


def step_times(session: Session) -> list[dict]:
    """Times of a whole step, from the batch to the metrics: of a plain search, and of ours eager and captured."""
    timed: dict[str, Steps] = {"plain": plain, "eager": partial(ours, capture=False)}
    if session.device != CPU:
        timed["captured"] = ours
    rows = []
    for space, config in session.sizes.items():
        rows += whole_steps(config, session.device, timed).assign(space=space).to_dict("records")
    return rows if "captured" in timed else [*rows, {"implementation": "captured", "skipped": NO_GRAPHS}]


def search(session: Session) -> dict:
    """Run as many epochs of the search as fit, and give the rows of all so far; a later session continues it."""
    these = SearchConfig.of(session.search).settings()
    epochs: list[dict] = []
    with closing(run_stepwise(these, False, SharedDevice())) as run:
        for progress in run:
            epochs = progress.history if isinstance(progress, Epoch) else epochs
            if session.is_over():
                break
    return {"parameters": these.as_dict(), "epochs": epochs, "of": sum(stage.epochs for stage in these.stages)}


PARTS = {part.__name__: part for part in (equality, captures, memory_formats, step_times, search)}


def run_part(name: str, session: Session, path: Path) -> bool:
    """Run a part that is not done, write its record to `path` and say how it went; False if it failed, and the record holds the error."""
    part, began = PARTS[name], time.monotonic()
    before = read_json(path).get("found") if path.exists() else None
    if before is not None and (part is not search or len(before["epochs"]) == before["of"]):
        return True
    try:
        if session.is_over():
            raise TimeoutError("no time was left; give more --minutes")
        with reproducible(session.device):
            result: dict[str, object] = {"found": part(session)}
    except Exception as error:  # the other parts may still work, and time on a GPU is short
        result = {"failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    took = time.monotonic() - began
    write_json(path, {"part": name, "seconds": took, "device": describe(session.device), "environment": environment()} | result)
    print(f"{name}: {result.get('failed', 'done')} ({took:.0f} s), {path}", flush=True)
    return "found" in result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m drnas_lib.collection.speed.gpu_session", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder of the results")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which the search stops (default 8)")
    parser.add_argument("--dry-run", action="store_true", help="every part, tiny, on the CPU, without captures")
    given = parser.parse_args(arguments)
    out, ends = given.out.resolve(), time.monotonic() + 60 * given.minutes
    try:
        session = Session.tiny(out, ends) if given.dry_run else Session.full(choose("cuda"), out, ends)
    except DeviceError as error:
        print(f"{error} A session needs a GPU; with --dry-run it tries every part on the CPU.", file=sys.stderr)
        return 2
    went_well = [run_part(name, session, out / f"{name}.json") for name in PARTS]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
