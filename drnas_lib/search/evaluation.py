"""How good a found cell is: looked up in the benchmark table, or trained beside random cells and all-skip, which are made here."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean

import torch

from drnas_lib.benchmark.table import Benchmark
from drnas_lib.config.recipes import RECIPES
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.batches import MemoryFeed
from drnas_lib.data.search_images import AnyDataset, StreamedDataset, described
from drnas_lib.errors import MissingData
from drnas_lib.genotype import Genotype, Nb201Genotype, genotype_from_json
from drnas_lib.nets.cost import macs, parameters
from drnas_lib.nets.networks import network
from drnas_lib.parallel.process_group import ProcessGroup
from drnas_lib.retrain import loop as retrain
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.runs.identity import Identity
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.search.trained_cells import ALL_SKIP, FOUND, RANDOM, by_seed
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.space import Space

TRAINING_FOLDER_PREFIX = "train_"  # with cell, seed and length, in the run's folder: checkpoints of a training


@dataclass(frozen=True)
class RunContext:
    """A run in progress: its folder and settings, the images, and the device and processes that compute it."""

    folder: RunFolder
    settings: SearchSettings
    dataset: AnyDataset
    device: torch.device
    process_group: ProcessGroup


@dataclass(frozen=True)
class TrainingEpoch:
    """An epoch of a training after the search: cell and seed, its row of the history, all rows so far, training `number` of `trainings`."""

    cell: str
    seed: int
    row: dict
    history: list[dict]
    epochs: int
    number: int
    trainings: int


def is_evaluated(record: dict, settings: SearchSettings) -> bool:
    """Whether the record of a search has the evaluation that `settings` ask for. What is unknown is looked up once the table is there."""
    evaluation = record.get("evaluation", {})
    if "unknown" in evaluation and Benchmark.load_if_available()[0]:
        return False
    return settings.evaluate == "none" or _is_asked_for(evaluation, settings)


def _is_asked_for(evaluation: dict, settings: SearchSettings) -> bool:
    wanted = {"kind": settings.evaluate, **_length(settings)}
    return all(evaluation.get(name) == value for name, value in wanted.items())


def _length(settings: SearchSettings) -> dict[str, int | None]:
    """The length of the trainings after a search, as a record has it."""
    return {"epochs": settings.train_epochs, "seeds": settings.train_seeds, "random_cells": settings.random_cells}


def training_folders(run: RunFolder) -> list[RunFolder]:
    """The folders in which the trainings of a run keep their checkpoints."""
    return [RunFolder(path) for path in sorted(run.path.glob(f"{TRAINING_FOLDER_PREFIX}*"))]


def evaluate(context: RunContext) -> Iterator[TrainingEpoch]:
    """Judge the found cell as the settings ask, and add the result to the record. Trained cells of another length stay there too."""
    began, record = time.perf_counter(), integrity.record(context.folder)
    genotype = genotype_from_json(read_json(integrity.checked(context.folder.file("genotype.json"), record)))
    known = [record.get("evaluation", {}), *record.get("earlier_evaluations", [])]
    result = next((evaluation for evaluation in known if _is_asked_for(evaluation, context.settings)), None)
    if result is None or "unknown" in result:
        found = yield from EVALUATIONS[context.settings.evaluate](context, genotype)
        record["metrics"]["evaluation_s"] = found.pop("train_s", time.perf_counter() - began)
        result = {"kind": context.settings.evaluate, **found}
    if context.process_group.is_rank_zero:
        record["evaluation"] = result
        others = [evaluation for evaluation in known if evaluation.get("cells") and not _is_asked_for(evaluation, context.settings)]
        record |= {"earlier_evaluations": others} if others else {}
        integrity.write(context.folder.file(integrity.RECORD), record)


def _nothing(context: RunContext, genotype: Genotype) -> Generator[TrainingEpoch, None, dict]:
    yield from ()
    return {}


def _look_up(context: RunContext, genotype: Genotype) -> Generator[TrainingEpoch, None, dict]:
    """Accuracy and rank in the benchmark table, or the reason why they are unknown; a search without the table still counts."""
    yield from ()
    dataset = context.settings.dataset
    try:
        table = Benchmark.load()
    except MissingData as error:
        return {"unknown": str(error)}
    assert isinstance(genotype, Nb201Genotype)  # evaluate='table' is for its space alone
    found: dict[str, object] = {}
    for split in ("valid", "test"):
        accuracy = table.accuracy(genotype, dataset, split)
        found |= table.standing(accuracy, dataset, split).to_record(f"{dataset}_{split}")
    return found


def _train(context: RunContext, genotype: Genotype) -> Generator[TrainingEpoch, None, dict]:
    """Train the found cell, random cells and, if the space has a skip connection, the all-skip cell in the same way with several seeds."""
    settings, dataset, device, share = context.settings, context.dataset, context.device, context.process_group.share
    if isinstance(dataset, StreamedDataset) or dataset.test is None:
        raise retrain.RetrainError(f"{dataset.name} has no test images, so a trained cell cannot be judged. Use evaluate='none'.")
    assert settings.train_epochs and settings.train_seeds  # evaluate='train' always has both
    used = dataset.with_train_subset(settings.subset)
    cells = {FOUND: genotype} | comparison_cells(SPACES[settings.space], settings)
    seeds = range(settings.seed, settings.seed + settings.train_seeds)
    batch_size = min(settings.batch_size, len(used.train.labels) // 4)  # a small data set still gets a few steps an epoch
    batch_size -= batch_size % share.world_size
    recipe = RECIPES["nb201"]
    lr = recipe.lr * (batch_size / recipe.batch_size) ** 0.5  # smaller batches have noisier gradients than those of the published rate
    recipe = replace(recipe, epochs=settings.train_epochs, batch_size=batch_size, lr=lr)
    feed, precision = MemoryFeed(used, recipe.batch_size, recipe.cutout, settings.seed, device, share), PRECISIONS[settings.precision]
    image, key = tuple(dataset.train.images.shape[1:]), f"{settings.dataset}_test_acc_pct"
    found: list[dict] = []
    number, trainings, seconds = 0, len(cells) * len(seeds), 0.0
    for name, cell in cells.items():
        accuracies = []
        for seed in seeds:
            number += 1
            net = build_seeded(seed, partial(network, cell, settings, dataset.classes, image[0]))
            folder = RunFolder(context.folder.path / f"{TRAINING_FOLDER_PREFIX}{name}_{seed}_{recipe.epochs}epochs")
            folder.path.mkdir(parents=True, exist_ok=True)
            identity = Identity.of(settings, described(dataset), cell, recipe, seed)
            training = retrain.Trainer(net, feed.with_seed(seed), recipe, seed, device, identity, context.process_group, precision)
            for row in training.run(folder):
                yield TrainingEpoch(name, seed, row, training.history, recipe.epochs, number, trainings)
            accuracies.append(row["test_acc_pct"])
            seconds += sum(row["seconds"] for row in training.history)  # also before an interrupt
        cost = {"parameters": parameters(net), "macs": macs(net, image)}
        found.append({"cell": name, "genotype": str(cell), key: mean(accuracies), by_seed(key): accuracies} | cost)
    images = {"train_images": len(used.train.labels), "test_images": len(dataset.test.labels)}
    return _length(settings) | images | {"train_s": seconds, "cells": found}


def comparison_cells(space: Space, settings: SearchSettings) -> dict[str, Genotype]:
    """Cells that do not come from the search: `random_cells` of random scores, and one of skip connections only."""
    available = torch.tensor(space.initial_mask(settings.stages[0].keep))
    generator = torch.Generator().manual_seed(settings.seed)
    cells = {}
    for number in range(1, (settings.random_cells or 0) + 1):
        scores = torch.rand(space.shape, generator=generator)
        cells[f"{RANDOM}{number}"] = space.genotype(scores.masked_fill(~available, -torch.inf))
    if "skip_connect" in space.operations:
        skip = torch.tensor([name == "skip_connect" for name in space.operations])
        cells[ALL_SKIP] = space.genotype((skip & available).float())
    return cells


EVALUATIONS: dict[str, Callable[[RunContext, Genotype], Generator[TrainingEpoch, None, dict]]] = {
    "none": _nothing,
    "table": _look_up,
    "train": _train,
}
