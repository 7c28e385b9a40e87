"""From the official NAS-Bench-201 files to rows of the table: one dict a cell, keyed by the table's columns.

Two releases are read, both of them Python pickles: the `.pth` file of NAS-Bench-201 (Dong & Yang, ICLR 2020; one
dict with everything, so it takes the memory) and the topology folder of NATS-Bench (Dong et al., TPAMI 2021; one
bz2 file a cell). Each holds, for a cell and a training schedule, one trial a data set and seed, with its accuracy
after every epoch that was evaluated.
"""

import bz2
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drnas_lib.errors import Told

META_FILE = "meta.pickle.pbz2"
DECIMALS = 4  # of a per cent; one image of 10,000 is 0.01


class Measured(NamedTuple):
    """Where the official files keep a column: trained on `dataset`, evaluated on `split`, after `epochs` epochs."""

    dataset: str
    split: str
    epochs: int


MEASURED = {
    "cifar10_valid": Measured("cifar10-valid", "x-valid", 200),  # trained on half of the training set only
    "cifar10_test": Measured("cifar10", "ori-test", 200),
    "cifar100_valid": Measured("cifar100", "x-valid", 200),
    "cifar100_test": Measured("cifar100", "x-test", 200),
    "imagenet16-120_valid": Measured("ImageNet16-120", "x-valid", 200),
    "imagenet16-120_test": Measured("ImageNet16-120", "x-test", 200),
    "cifar10_valid_12": Measured("cifar10-valid", "x-valid", 12),
    "cifar100_valid_12": Measured("cifar100", "x-valid", 12),
    "imagenet16-120_valid_12": Measured("ImageNet16-120", "x-valid", 12),
}


class ConversionError(Told, ValueError):
    """An official file that cannot be read or lacks what the table needs. The message says what to do."""


def rows(source: Path, trust_pickle: bool) -> Iterator[dict]:
    """The rows of `source`, a NAS-Bench-201 `.pth` or a NATS-Bench topology folder. Raises ConversionError.

    Opening a pickle runs the code in it, so nothing is opened without `trust_pickle`.
    """
    if not source.exists():
        raise ConversionError(f"{source} does not exist; expected a NAS-Bench-201 .pth or a NATS-Bench topology folder")
    if not source.is_dir() and source.suffix != ".pth":
        raise ConversionError(f"{source} is neither a .pth file nor a folder with {META_FILE}")
    if not trust_pickle:
        raise ConversionError(
            f"{source} holds Python pickles, and opening a pickle runs whatever code it contains. Make sure that it is "
            "the official file (its name carries the end of its md5 sum), then say so with --trust-pickle"
        )
    cells = _of_folder(source) if source.is_dir() else _of_pth(source)
    for index, (arch, results) in enumerate(cells):
        yield {"index": index, "arch": arch} | {
            column: round(_mean_accuracy(results, measured, f"cell {index} ({arch}) of {source}"), DECIMALS)
            for column, measured in MEASURED.items()
        }


def _of_pth(path: Path) -> Iterator[tuple[str, dict[int, dict]]]:
    """(cell, {epochs: results}) of each cell of a NAS-Bench-201 file."""
    import torch  # reading the table must stay possible, and fast, without it

    try:
        content = torch.load(path, map_location="cpu", weights_only=False)  # the caller vouched for the file
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ConversionError(f"{path} is damaged or not a NAS-Bench-201 file ({error}); download it again") from error
    archs, infos = _entry(content, "meta_archs", path), _entry(content, "arch2infos", path)
    for index, arch in enumerate(archs):
        info = _entry(infos, index, path)
        yield arch, {12: _entry(info, "less", path), 200: _entry(info, "full", path)}


def _of_folder(folder: Path) -> Iterator[tuple[str, dict[int, dict]]]:
    """(cell, {epochs: results}) of each cell of a NATS-Bench topology folder."""
    for index, arch in enumerate(_entry(_load(folder / META_FILE), "meta_archs", folder / META_FILE)):
        path = folder / f"{index:06d}.pickle.pbz2"
        info = _load(path)
        yield arch, {12: _entry(info, "12", path), 200: _entry(info, "200", path)}


def _load(path: Path):
    try:
        with bz2.open(path) as file:
            return pickle.load(file)
    except FileNotFoundError as error:
        raise ConversionError(
            f"{path} is missing; unpack the whole archive of the NATS-Bench topology space"
        ) from error
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise ConversionError(f"{path} is damaged ({error}); unpack or download it again") from error


def _mean_accuracy(results: dict[int, dict], measured: Measured, where: str) -> float:
    """Accuracy in per cent after the last epoch of the schedule, mean over the seeds that were trained."""
    dataset, split, epochs = measured
    of_schedule = results[epochs]
    seeds = _entry(of_schedule, "dataset_seed", where).get(dataset)
    if not seeds:
        raise ConversionError(
            f"{where}: no trial of {epochs} epochs on {dataset}; "
            "the first release (v1.0) lacks some, use v1.1 or NATS-Bench"
        )
    trials = [_entry(_entry(of_schedule, "all_results", where), (dataset, seed), where) for seed in seeds]
    last = f"{split}@{epochs - 1}"
    accuracies = [_entry(_entry(trial, "eval_acc1es", where), last, where) for trial in trials]
    return float(sum(accuracies) / len(accuracies))


def _entry(content, key, where: str | Path):
    try:
        return content[key]
    except (KeyError, TypeError, IndexError) as error:
        raise ConversionError(
            f"{where}: {key!r} is missing; this is not the layout of NAS-Bench-201 or NATS-Bench"
        ) from error
