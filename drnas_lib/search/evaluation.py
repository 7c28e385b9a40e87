"""How good a found cell is: looked up in the benchmark's table, or trained beside cells that owe nothing to the search."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import mean

import torch

from drnas_lib.benchmark.table import Benchmark, MissingBenchmark
from drnas_lib.config.recipes import RECIPES
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.feed import MemoryFeed
from drnas_lib.data.search_images import described
from drnas_lib.genotype import Genotype
from drnas_lib.nets.cost import macs, parameters
from drnas_lib.nets.networks import network
from drnas_lib.retrain import loop as retrain
from drnas_lib.runs.identity import Identity
from drnas_lib.runs.records import RunFolder
from drnas_lib.runs.seeds import built
from drnas_lib.search.trained_cells import ALL_SKIP, FOUND, RANDOM, by_seed
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.space import Space

FOLDER = "train_"  # and cell and seed, in the run's folder: checkpoints of a training


@dataclass(frozen=True)
class Training:
    """An epoch of a training after the search: of which cell and seed, its row and all rows so far, and the training's number of all."""

    cell: str
    seed: int
    row: dict
    history: list[dict]
    epochs: int
    number: int
    trainings: int


def answers(found: dict, settings: SearchSettings) -> bool:
    """Whether the evaluation in a record is the one now asked for."""
    asked = {"kind": settings.evaluate, "epochs": settings.train_epochs}
    asked |= {"seeds": settings.train_seeds, "random_cells": settings.random_cells}
    return all(found.get(name) == value for name, value in asked.items())


def folders(run: RunFolder) -> list[RunFolder]:
    """Where the trainings of a run keep their checkpoints."""
    return [RunFolder(path) for path in sorted(run.path.glob(f"{FOLDER}*"))]


def _nothing(folder, settings, dataset, device, genotype, process_group):
    yield from ()
    return {}


def _look_up(folder, settings, dataset, device, genotype, process_group):
    """Accuracy and rank in the benchmark table, or the reason why they are unknown; a search without the table still counts."""
    yield from ()
    try:
        table = Benchmark.load()
    except MissingBenchmark as error:
        return {"unknown": str(error)}
    found = {}
    for split in ("valid", "test"):
        accuracy, key = table.accuracy(genotype, settings.dataset, split), f"{settings.dataset}_{split}"
        found |= table.standing(accuracy, settings.dataset, split).to_record(key)
    return found


def _train(folder, settings, dataset, device, genotype, process_group) -> Iterator[Training]:
    """Train the found cell, random ones and, where the space has a skip connection, the all-skip cell: alike, with several seeds."""
    if dataset.test is None:
        raise retrain.RetrainError(f"{dataset.name} has no test images, so a trained cell cannot be judged. Use evaluate='none'.")
    cells = {FOUND: genotype} | rivals(SPACES[settings.space], settings)
    seeds = range(settings.seed, settings.seed + settings.train_seeds)
    batch_size = min(settings.batch_size, len(dataset.train.labels) // 4)  # a small data set still gets a few steps an epoch
    batch_size -= batch_size % process_group.share.of
    recipe = RECIPES["nb201"]
    lr = recipe.lr * (batch_size / recipe.batch_size) ** 0.5  # the published rate is for its batches: gradients of smaller ones are noisier
    recipe = replace(recipe, epochs=settings.train_epochs, batch_size=batch_size, lr=lr)
    feeds = {seed: MemoryFeed(dataset, recipe.batch_size, recipe.cutout, seed, device, process_group.share) for seed in seeds}
    image, key = tuple(dataset.train.images.shape[1:]), f"{settings.dataset}_test_acc_pct"
    found, number, trainings = [], 0, len(cells) * len(seeds)
    for name, cell in cells.items():
        accuracies = []
        for seed in seeds:
            number += 1
            net = built(seed, lambda cell=cell: network(cell, settings, dataset.classes, image[0]))
            if device.type == "cpu":  # a fifth quicker there
                net = net.to(memory_format=torch.channels_last)
            place = RunFolder(folder.path / f"{FOLDER}{name}_{seed}")
            place.path.mkdir(parents=True, exist_ok=True)
            identity = Identity.of(settings, described(dataset), cell, recipe, seed)
            training = retrain.Training(net, feeds[seed], recipe, seed, device, identity, process_group)
            for row in training.run(place):
                yield Training(name, seed, row, training.history, recipe.epochs, number, trainings)
            accuracies.append(row["test_acc_pct"])
        cost = {"parameters": parameters(net), "macs": macs(net, image)}
        found.append({"cell": name, "genotype": str(cell), key: mean(accuracies), by_seed(key): accuracies} | cost)
    asked = {"epochs": recipe.epochs, "seeds": len(seeds), "random_cells": settings.random_cells}
    return asked | {"test_images": len(dataset.test.labels), "cells": found}


def rivals(space: Space, settings: SearchSettings) -> dict[str, Genotype]:
    """Cells that owe nothing to the search: `random_cells` of random scores, and skip connections everywhere."""
    there = torch.tensor(space.initial_mask(settings.stages[0].keep))
    generator = torch.Generator().manual_seed(settings.seed)
    cells = {}
    for number in range(1, settings.random_cells + 1):
        scores = torch.rand(space.shape, generator=generator)
        cells[f"{RANDOM}{number}"] = space.genotype(scores.masked_fill(~there, -torch.inf))
    if "skip_connect" in space.operations:
        skip = torch.tensor([name == "skip_connect" for name in space.operations])
        cells[ALL_SKIP] = space.genotype((skip & there).float())
    return cells


EVALUATIONS = {"none": _nothing, "table": _look_up, "train": _train}
