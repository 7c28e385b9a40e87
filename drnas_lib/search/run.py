"""One run from settings to `done.json`: search, judge the cell, write record.json. Skips a finished run, continues an interrupted one."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext

import torch

from drnas_lib.config.image_rules import PIXELS
from drnas_lib.config.presets import READ_FROM_FOLDERS
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.search_images import AnyDataset, described, read
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.runs import checkpoint, integrity
from drnas_lib.runs.device import choose, describe, reproducible, threads_for, using_threads
from drnas_lib.runs.files import RunFolder, data_root, environment, resolve, write_csv, write_json
from drnas_lib.runs.memory import advice_where_memory_runs_out
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.search import evaluation
from drnas_lib.search.evaluation import RunContext, TrainingEpoch
from drnas_lib.search.loop import MORE_MEMORY, Epoch, Launched, Search, SearchError, SharedDevice
from drnas_lib.spaces import SPACES

Progress = Epoch | TrainingEpoch


def run(
    settings: SearchSettings,
    rerun: bool = False,
    on_step: Callable[[int, int], None] | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Generator[Progress, None, None]:
    """Yield the epochs of a run as they end, nothing if it is finished already. The results are the files in its folder.

    Calls `on_step(done, of)` after each step of an epoch of the search. Raises RunLocked, CheckpointError, RecordError, MissingData,
    DamagedData, DeviceError, SearchError or RetrainError; each message says what to do.
    """
    with closing(run_stepwise(settings, rerun, SharedDevice(), process_group)) as launched:
        for progress in launched:
            if not isinstance(progress, Launched):
                yield progress
            elif on_step is not None:
                on_step(progress.done, progress.of)


def run_stepwise(
    settings: SearchSettings, rerun: bool, shared: SharedDevice, process_group: ProcessGroup = SINGLE_PROCESS
) -> Generator[Launched | Progress, None, None]:
    """Like `run`, but yields after every step too, so that several runs can take turns (see concurrent.run_concurrently)."""
    folder = RunFolder(settings.folder)
    if not rerun and _finished(folder, settings, shared):
        return
    with folder.lock() if process_group.is_rank_zero else nullcontext():
        # Another process may have finished the run since the first look.
        if not rerun and not process_group.is_distributed and _finished(folder, settings, shared):
            return
        searched = folder.done and not rerun
        device = choose(settings.device, settings.precision)
        with process_group.rank_zero_first():  # it may download the images
            dataset = _dataset(settings, shared)
        context = RunContext(folder, settings, dataset, device, process_group)
        if rerun and process_group.is_rank_zero:
            for place in (folder, *evaluation.training_folders(folder)):
                place.clear()
        process_group.barrier()
        count = threads_for(device, settings.batch_size, settings.channels, settings.image_size or PIXELS[settings.dataset])
        with reproducible(device, PRECISIONS[settings.precision]), using_threads(count):
            if not searched:
                yield from _search(context, shared)
            yield from evaluation.evaluate(context)
        if process_group.is_rank_zero:
            folder.finish({"stem": settings.stem, "seed": settings.seed, "fingerprint": settings.fingerprint})
            _clear_checkpoints(folder)
        process_group.barrier()


def _dataset(settings: SearchSettings, shared: SharedDevice) -> AnyDataset:
    """The images, read once for all runs that share the device."""
    folder = settings.data_folder and resolve(settings.data_folder)
    key = settings.dataset, data_root(), folder, settings.image_size, tuple(settings.index_lists or ())
    if key not in shared.datasets:
        shared.datasets[key] = read(settings)
    return shared.datasets[key]


def _finished(folder: RunFolder, settings: SearchSettings, shared: SharedDevice) -> bool:
    """Whether nothing is left to do: the run is done, and its cell was judged as `settings` ask."""
    if not folder.done:
        return False
    images = (lambda: described(_dataset(settings, shared))) if settings.dataset in READ_FROM_FOLDERS else None
    checkpoint.check_finished(folder, settings, images)
    if not evaluation.is_evaluated(integrity.record(folder), settings):
        return False
    _clear_checkpoints(folder)  # an interrupt may have come between done.json and their removal
    return True


def _clear_checkpoints(folder: RunFolder) -> None:
    for place in (folder, *evaluation.training_folders(folder)):
        checkpoint.clear(place.path)


def _search(context: RunContext, shared: SharedDevice) -> Iterator[Launched | Epoch]:
    """A function of its own, so that the memory of the supernet is free before cells are trained."""
    try:
        with advice_where_memory_runs_out(SearchError, "at the start", MORE_MEMORY):
            search = Search(context.settings, context.dataset, context.device, process_group=context.process_group)
    except ValueError as error:  # fewer images than a batch or than `subset`
        raise SearchError(str(error)) from error
    yield from search.run(context.folder, shared)
    if context.process_group.is_rank_zero:
        _write_search(context, search)
    context.process_group.barrier()


def _write_search(context: RunContext, search: Search) -> None:
    folder, settings, dataset, history = context.folder, context.settings, context.dataset, search.history
    space = SPACES[settings.space]
    available = space.initial_mask(settings.stages[0].keep)  # other operations have no eta
    write_csv(folder.file("history.csv"), history)
    write_csv(
        folder.file("eta.csv"),
        [
            {"epoch": e + 1, "group": group, "edge": f"{s}-{t}", "operation": operation, "eta": eta[g][j][o]}
            for e, eta in enumerate(search.trace)
            for g, group in enumerate(space.groups)
            for j, (s, t) in enumerate(space.edges)
            for o, operation in enumerate(space.operations)
            if available[g][j][o]
        ],
    )
    genotype = search.genotype()
    write_json(folder.file("genotype.json"), genotype.to_json())
    record = {
        "parameters": settings.as_dict(),
        "protocol": settings.protocol,
        "reduced": [*settings.reduced, *dataset.reduced],
        "genotype": str(genotype),
        "supernet_sha256": checkpoint.weights_digest(search.step.net),
        "metrics": {
            "search_s": sum(row["seconds"] for row in history),
            "last_epoch_train_acc_pct": history[-1]["train_acc_pct"],
            "last_epoch_valid_acc_pct": history[-1]["valid_acc_pct"],
        },
        "stages": _memory_by_stage(history),
        "data": described(dataset, search.unreadable),
        "device": describe(context.device),
        "threads": torch.get_num_threads(),
        "processes": context.process_group.share.world_size,
        "environment": environment(),
    }
    integrity.write(folder.file(integrity.RECORD), record, beside=("history.csv", "eta.csv", "genotype.json"))


def _memory_by_stage(history: list[dict]) -> list[dict]:
    """A row for each stage; the GPU's peak is that of the epochs up to which no other search shared the GPU in the stage."""
    last = {row["stage"]: row for row in history}
    alone = [row for row in history if row["peak_memory_mb"] is not None and row["searches_at_once"] == 1]
    return [
        {name: row[name] for name in ("stage", "k", "operations_kept", "activation_mb")}
        | {"gpu_peak_memory_mb": max((one["peak_memory_mb"] for one in alone if one["stage"] == stage), default=None)}
        for stage, row in last.items()
    ]
