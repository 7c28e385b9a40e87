"""Small releases of NAS-Bench-201 and NATS-Bench, made by the classes of their own packages."""

from collections.abc import Callable
from pathlib import Path

import nas_201_api
import nats_bench
import torch

SEEDS = {12: (777, 888), 200: (777, 888, 999)}
SCHEDULES = {"less": 12, "full": 200}  # as NAS-Bench-201 calls them
SPLITS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}


def accuracy(cell: int, epochs: int, dataset: str, split: str, seed: int) -> float:
    """In per cent, after the last epoch; no other combination has the same."""
    place = list(SPLITS).index(dataset)
    return 10 * place + epochs / 20 + {"x-valid": 1, "x-test": 2, "ori-test": 3}[split] + seed / 1000 + cell / 100


def _trial(package, cell: int, arch: str, epochs: int, dataset: str, seed: int, every: range):
    """A package's ResultsCount, evaluated after the epochs `every`."""
    config = {"channel": 16, "num_cells": 5, "arch_str": arch, "class_num": 10}
    train, losses = {e: 99.0 - (epochs - e) / 10 for e in every}, dict.fromkeys(every, 1.0)
    result = package.ResultsCount("infer.tiny", None, train, losses, 0.8, 113.9, config, seed, epochs, [0.01])
    of_split = {s: {e: accuracy(cell, epochs, dataset, s, seed) - (epochs - 1 - e) / 100 for e in every} for s in SPLITS[dataset]}
    if len(every) < epochs:  # as the first trials were kept: without times
        for split, accuracies in of_split.items():
            result.update_OLD_eval(split, accuracies, losses)
    else:
        accuracies = {f"{split}@{e}": value for split, of in of_split.items() for e, value in of.items()}
        result.update_train_info(train, train, losses, dict.fromkeys(every, 7.0))
        result.update_eval(accuracies, dict.fromkeys(accuracies, 1.0), dict.fromkeys(accuracies, 2.0))
    return result


def results(package, cell: int, arch: str, epochs: int, brief: bool = False) -> dict:
    """The state of a package's ArchResults: what a cell reached under one schedule; `brief`: by one seed, after the last epoch only."""
    found = package.ArchResults(cell, arch)
    for dataset in SPLITS:
        for seed in SEEDS[epochs][: 1 if brief else None]:
            every = range(epochs - 1, epochs) if brief else range(epochs)
            found.update(dataset, seed, _trial(package, cell, arch, epochs, dataset, seed, every))
    return found.state_dict()


def content(archs: list[str], package=nas_201_api, of_cell: Callable[[int, str, int], dict] | None = None) -> dict:
    """What NAS-Bench-201's .pth file holds. `of_cell(cell, arch, epochs)`: other results than `results`."""
    made = of_cell or (lambda cell, arch, epochs: results(package, cell, arch, epochs))
    infos = {cell: {name: made(cell, arch, epochs) for name, epochs in SCHEDULES.items()} for cell, arch in enumerate(archs)}
    return {"meta_archs": archs, "arch2infos": infos, "evaluated_indexes": set(infos)}


def _as_nats(info: dict) -> dict:
    return {str(epochs): info[name] for name, epochs in SCHEDULES.items()}


def write_pth(content: dict, folder: Path) -> Path:
    """NAS-Bench-201's file."""
    torch.save(content, folder / "nas.pth")
    return folder / "nas.pth"


def write_folder(content: dict, folder: Path) -> Path:
    """NATS-Bench's topology folder, a file for each cell."""
    folder = folder / "NATS-tss-simple"
    folder.mkdir()
    nats_bench.pickle_save({name: content[name] for name in ("meta_archs", "evaluated_indexes")}, folder / "meta.pickle")
    for cell, info in content["arch2infos"].items():
        nats_bench.pickle_save(_as_nats(info), folder / f"{cell:06d}.pickle")
    return folder


def write_file(content: dict, folder: Path) -> Path:
    """NATS-Bench's topology space in one file."""
    infos = {cell: _as_nats(info) for cell, info in content["arch2infos"].items()}
    nats_bench.pickle_save(content | {"arch2infos": infos}, folder / "NATS-tss.pickle")
    return folder / "NATS-tss.pickle.pbz2"
