"""One training from settings to `done.json`: data, network, loop, record.json. Skips what is done and continues what is not."""

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from drnas_lib.config.presets import READ_FROM_FOLDERS, STREAMED
from drnas_lib.config.retrain import RetrainSettings
from drnas_lib.data import image_files
from drnas_lib.data.batches import MemoryFeed, Share
from drnas_lib.data.search_images import AnyDataset, StreamedDataset, described
from drnas_lib.data.sources import load
from drnas_lib.data.stream import Feed, StreamFeed
from drnas_lib.genotype import genotype_from_json
from drnas_lib.nets import networks
from drnas_lib.nets.cost import macs, parameters, without_auxiliary
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.retrain.loop import RetrainError, Trainer
from drnas_lib.runs import checkpoint, integrity
from drnas_lib.runs.device import choose, describe, reproducible, threads_for, using_threads
from drnas_lib.runs.files import RunFolder, atomic_write, data_root, environment, resolve, write_csv, write_json
from drnas_lib.runs.identity import Identity
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.spaces.darts_operations import OPERATIONS, PLAIN_POOLS

WEIGHTS = "weights.pt"


@dataclass(frozen=True)
class Progress:
    """An epoch that has ended: its row of history.csv, all rows so far, and how many there will be."""

    row: dict
    history: list[dict]
    epochs: int


def run(
    settings: RetrainSettings,
    rerun: bool = False,
    on_step: Callable[[int, int], None] | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[Progress]:
    """Yield the epochs of a training as they end; nothing where it is already done. The results are files in its folder.

    Raises RunLocked, CheckpointError, RecordError, MissingData, DamagedData, DeviceError or RetrainError, each with what to do.
    """
    folder = RunFolder(settings.folder)
    if not rerun and _finished(folder, settings):
        return
    with folder.lock() if process_group.is_rank_zero else nullcontext():
        if not rerun and not process_group.is_distributed and _finished(folder, settings):  # by another process in the meantime
            return
        device = choose(settings.device, settings.precision)
        with process_group.rank_zero_first():  # it may download the images
            data = read(settings)
        try:
            images = feed(data, settings, device, process_group.share)
        except ValueError as error:  # fewer images than a batch, or than the subset asked for
            raise RetrainError(str(error)) from error
        if rerun and process_group.is_rank_zero:
            folder.clear()
            folder.file(WEIGHTS).unlink(missing_ok=True)
        process_group.barrier()
        precision, shape = PRECISIONS[settings.precision], (settings.recipe.batch_size, settings.channels, settings.image_size)
        with reproducible(device, precision), using_threads(threads_for(device, *shape)):
            net = build_seeded(settings.seed, lambda: network(settings, images.classes, data.channels))
            identity = Identity.of(settings, described(data))
            training = Trainer(net, images, settings.recipe, settings.seed, device, identity, process_group, precision)
            for row in training.run(folder, on_step):
                yield Progress(row, training.history, settings.recipe.epochs)
            if process_group.is_rank_zero:
                _write(folder, settings, data, device, training)
            process_group.barrier()


def network(settings: RetrainSettings, classes: int, in_channels: int) -> nn.Module:
    """The network to train, for images of `in_channels` channels."""
    recipe = settings.recipe
    return networks.network(
        genotype_from_json(settings.cell_json),
        settings,
        classes,
        in_channels,
        auxiliary_size=settings.image_size if recipe.auxiliary else None,
        drop_path=recipe.drop_path > 0,
        operations=PLAIN_POOLS if recipe.plain_pools else OPERATIONS,
    )


def read(settings: RetrainSettings) -> AnyDataset:
    """The images of a training. Raises MissingData, DamagedData, RecordError; RetrainError without test images."""
    folder = resolve(settings.data_folder) if settings.data_folder else None
    if settings.dataset == STREAMED:
        train, test = image_files.train_and_test(folder or data_root() / STREAMED)
        reduced, listed = image_files.imagenet_reductions(train), ""
        if settings.index_list:
            train, listed = image_files.chosen(train, resolve(settings.index_list)), f" of the list {settings.index_list}"
        classes, size = len(train.classes), settings.image_size
        source = f"{len(train)} training images{listed} and {len(test)} test images of {classes} classes, {size}x{size} views."
        return StreamedDataset(train, test, source, reduced)
    dataset = load(settings.dataset, data_root(), folder, settings.image_size)
    if dataset.test is None:
        raise RetrainError(f"{dataset.name} has no test images, so a training cannot be judged. Use another data set.")
    return dataset


def feed(data: AnyDataset, settings: RetrainSettings, device: torch.device, share: Share) -> Feed:
    """The batches of a training. Raises ValueError where the images do not fill one."""
    recipe, seed = settings.recipe, settings.seed
    if isinstance(data, StreamedDataset):
        sizes = settings.image_size, recipe.batch_size
        return StreamFeed(data.train, data.valid, *sizes, seed, device, settings.workers, share)
    return MemoryFeed(data.with_train_subset(settings.subset), recipe.batch_size, recipe.cutout, seed, device, share)


def _finished(folder: RunFolder, settings: RetrainSettings) -> bool:
    """Whether this run is done. Raises CheckpointError where a run of other settings is, RecordError."""
    if not folder.done:
        return False
    images = (lambda: described(read(settings))) if settings.dataset in READ_FROM_FOLDERS else None
    checkpoint.check_finished(folder, settings, images)
    checkpoint.clear(folder.path)  # an interrupt may have come between done.json and their removal
    return True


def _write(folder: RunFolder, settings: RetrainSettings, data: AnyDataset, device: torch.device, training: Trainer) -> None:
    """Write all files of a finished training, `done.json` last, and remove its checkpoints."""
    history, shapes = training.history, without_auxiliary(training.net)
    shape = (data.channels, settings.image_size, settings.image_size)
    weights = io.BytesIO()
    torch.save({name: value.cpu() for name, value in training.net.state_dict().items()}, weights)
    atomic_write(folder.file(WEIGHTS), weights.getvalue())
    write_csv(folder.file("history.csv"), history)
    write_json(folder.file("genotype.json"), settings.cell_json)
    record = {
        "parameters": settings.as_dict(),
        "protocol": settings.protocol,
        "reduced": [*settings.reduced, *data.reduced],
        "changed": list(settings.changed),
        "metrics": metrics(settings.dataset, history),
        "best_is": "the epoch with the lowest test error: chosen on the test set itself, so no fair estimate",
        "network": {
            "parameters": parameters(shapes),
            "parameters_with_auxiliary": parameters(training.net),
            "macs": macs(shapes, shape),
            "input": list(shape),
            "sha256": checkpoint.weights_digest(training.net),
        },
        "data": described(data) | {"unreadable": {"count": len(training.unreadable), "files": training.unreadable}},
        "device": describe(device),
        "threads": torch.get_num_threads(),
        "processes": training.process_group.share.world_size,
        "environment": environment(),
    }
    integrity.write(folder.file(integrity.RECORD), record, beside=("history.csv", "genotype.json", WEIGHTS))
    folder.finish({"stem": settings.stem, "seed": settings.seed, "fingerprint": settings.fingerprint})
    checkpoint.clear(folder.path)


def metrics(dataset: str, history: list[dict]) -> dict:
    """Test errors of the last and of the best epoch, the last training loss, time and memory."""
    tested = [row for row in history if row["test_acc_pct"] is not None]
    last, best = tested[-1], max(tested, key=lambda row: row["test_acc_pct"])
    found: dict[str, float | None] = {}
    for label, row in (("last", last), ("best", best)):
        found[f"{dataset}_test_error_pct_{label}"] = 100 - row["test_acc_pct"]
        found[f"{dataset}_test_top5_error_pct_{label}"] = 100 - row["test_top5_acc_pct"]
    peaks = [row["peak_memory_mb"] for row in history if row["peak_memory_mb"] is not None]
    found |= {"best_epoch": best["epoch"], "last_train_loss_nats": history[-1]["train_loss_nats"]}
    return found | {"train_s": sum(row["seconds"] for row in history), "gpu_peak_memory_mb": max(peaks, default=None)}
