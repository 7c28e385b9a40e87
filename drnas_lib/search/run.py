"""One run from settings to `done.json`: search, judge the cell, write the records. Skips what is done and continues what is not."""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext

import torch

from drnas_lib.config.presets import READ_FROM_FOLDERS
from drnas_lib.config.search import SearchSettings
from drnas_lib.config.space_rules import PIXELS
from drnas_lib.data.search_images import StreamedDataset, described, read
from drnas_lib.data.sources import Dataset
from drnas_lib.genotype import Genotype, genotype_from_json
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.runs import checkpoint, integrity, threads
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.runs.records import RunFolder, data_root, environment, read_json, resolve, write_csv, write_json
from drnas_lib.search import evaluation
from drnas_lib.search.evaluation import EVALUATIONS, Training
from drnas_lib.search.loop import Epoch, Launched, Search, SearchError, SharedDevice
from drnas_lib.spaces import SPACES

Progress = Epoch | Training


def run(
    settings: SearchSettings,
    rerun: bool = False,
    on_step: Callable[[int, int], None] | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Generator[Progress, None, None]:
    """Yield the epochs of a run as they end; nothing where it is already done. The results are the files in its folder.

    `on_step(done, of)` hears of the steps within an epoch. Raises RunLocked, CheckpointError, RecordError, MissingData, DamagedData,
    DeviceError, SearchError or RetrainError, each with what to do about it.
    """
    with closing(launches(settings, rerun, SharedDevice(), process_group)) as launched:
        for progress in launched:
            if not isinstance(progress, Launched):
                yield progress
            elif on_step is not None:
                on_step(progress.done, progress.of)


def launches(
    settings: SearchSettings, rerun: bool, shared: SharedDevice, process_group: ProcessGroup = SINGLE_PROCESS
) -> Generator[Launched | Progress, None, None]:
    """The same run, handing over after every step as well, so that several can take turns (see together.run_concurrently)."""
    folder = RunFolder(settings.folder)
    if not rerun and _finished(folder, settings, shared):
        return
    with folder.lock() if process_group.first else nullcontext():
        if (
            not rerun and process_group is SINGLE_PROCESS and _finished(folder, settings, shared)
        ):  # by another process, since the first look
            return
        searched = folder.done and not rerun
        device = choose(settings.device, settings.precision)
        dataset = _dataset(settings, shared)
        if rerun and process_group.first:
            _clear(folder)
        process_group.wait()
        pixels = settings.image_size or PIXELS[settings.dataset]
        count = threads.suited(device, settings.batch_size, settings.channels, pixels)
        with reproducible(device, PRECISIONS[settings.precision]), threads.computing(count):
            if not searched:
                yield from _search(folder, settings, dataset, device, shared, process_group)
            genotype = genotype_from_json(read_json(integrity.checked(folder.file("genotype.json"), integrity.record(folder))))
            yield from _evaluate(folder, settings, dataset, device, genotype, process_group)
        if process_group.first:
            folder.finish({"stem": settings.stem, "seed": settings.seed, "fingerprint": settings.fingerprint})
            for place in (folder, *evaluation.folders(folder)):
                checkpoint.clear(place.path)
        process_group.wait()


def _dataset(settings: SearchSettings, shared: SharedDevice) -> Dataset | StreamedDataset:
    """Read once for all runs that share the device."""
    folder = settings.data_folder and resolve(settings.data_folder)
    key = settings.dataset, data_root(), folder, settings.image_size, tuple(settings.index_lists or ())
    if key not in shared.datasets:
        shared.datasets[key] = read(settings)
    return shared.datasets[key]


def _search(
    folder: RunFolder,
    settings: SearchSettings,
    dataset: Dataset | StreamedDataset,
    device,
    shared: SharedDevice,
    process_group: ProcessGroup,
) -> Iterator[Launched | Epoch]:
    """Apart, so that the supernet's memory is free again before cells are trained."""
    try:
        search = Search(settings, dataset, device, process_group=process_group)
    except ValueError as error:  # fewer images than a batch, or than the subset asked for
        raise SearchError(str(error)) from error
    yield from search.run(folder, shared)
    if process_group.first:
        _write_search(folder, settings, dataset, device, search)
    process_group.wait()


def _finished(folder: RunFolder, settings: SearchSettings, shared: SharedDevice) -> bool:
    """Whether a run is done and its cell was judged in the way now asked for; if not the latter, only that is left to do."""
    if not folder.done:
        return False
    images = (lambda: described(_dataset(settings, shared))) if settings.dataset in READ_FROM_FOLDERS else None
    checkpoint.check_finished(folder, settings, images)
    return evaluation.answers(integrity.record(folder).get("evaluation", {}), settings)


def _clear(folder: RunFolder) -> None:
    for place in (folder, *evaluation.folders(folder)):
        place.clear()


def _write_search(folder: RunFolder, settings: SearchSettings, dataset: Dataset | StreamedDataset, device, search: Search) -> None:
    space, history = SPACES[settings.space], search.history
    began = space.start(settings.stages[0].keep)  # what was never there has no eta
    write_csv(folder.file("history.csv"), history)
    write_csv(
        folder.file("eta.csv"),
        [
            {"epoch": e + 1, "group": group, "edge": f"{s}-{t}", "operation": operation, "eta": eta[g][j][o]}
            for e, eta in enumerate(search.trace)
            for g, group in enumerate(space.groups)
            for j, (s, t) in enumerate(space.edges)
            for o, operation in enumerate(space.operations)
            if began[g][j][o]
        ],
    )
    genotype = search.genotype()
    write_json(folder.file("genotype.json"), genotype.to_json())
    record = {
        "parameters": settings.as_dict(),
        "protocol": settings.protocol,
        "reduced": [*settings.reduced, *(dataset.less if isinstance(dataset, StreamedDataset) else ())],
        "genotype": str(genotype),
        "supernet_sha256": _digest(search.step.net),
        "metrics": {
            "search_s": sum(row["seconds"] for row in history),
            "last_epoch_train_acc_pct": history[-1]["train_acc_pct"],
            "last_epoch_valid_acc_pct": history[-1]["valid_acc_pct"],
        },
        "stages": _memory_by_stage(history),
        "data": described(dataset, search.unreadable),
        "device": describe(device),
        "threads": torch.get_num_threads(),
        "processes": search.process_group.share.of,
        "environment": environment(),
    }
    integrity.write(folder.file(integrity.RECORD), record, beside=("history.csv", "eta.csv", "genotype.json"))


def _digest(net: torch.nn.Module) -> str:
    """SHA-256 of all weights and running statistics: equal for equal runs."""
    digest = hashlib.sha256()
    for name, value in net.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()


def _memory_by_stage(history: list[dict]) -> list[dict]:
    last = {row["stage"]: row for row in history}
    peaks = {s: [row["peak_memory_mb"] for row in history if row["stage"] == s and _alone(row)] for s in last}
    return [
        {"stage": s, "k": row["k"], "operations_kept": row["operations_kept"], "activation_mb": row["activation_mb"]}
        | {"gpu_peak_memory_mb": max(peaks[s], default=None)}
        for s, row in last.items()
    ]


def _alone(row: dict) -> bool:
    return row["peak_memory_mb"] is not None and row["searches_at_once"] == 1


def _evaluate(
    folder: RunFolder, settings: SearchSettings, dataset: Dataset | StreamedDataset, device, genotype: Genotype, process_group: ProcessGroup
) -> Iterator[Training]:
    began = time.perf_counter()
    result = yield from EVALUATIONS[settings.evaluate](folder, settings, dataset, device, genotype, process_group)
    if not process_group.first:
        return
    record = integrity.record(folder)
    record["evaluation"] = {"kind": settings.evaluate, **result}
    record["metrics"]["evaluation_s"] = time.perf_counter() - began
    integrity.write(folder.file(integrity.RECORD), record)
