"""From the official files of NAS-Bench-201 to rows of the table: one dict a cell, keyed by the table's columns.

The authors' own packages read them: `nas_201_api` the `.pth` file of NAS-Bench-201 (Dong & Yang, ICLR 2020), `nats_bench` the topology
files of NATS-Bench (Dong et al., TPAMI 2021). A cell has trials by data set and seed; its accuracy is their mean after the last epoch.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats_bench

from drnas_lib.errors import DamagedData

DECIMALS = 4  # of a per cent; one image of 10,000 is 0.01
META_FILE = "meta.pickle.pbz2"
KNOWN = f"the NATS-Bench topology folder (it holds {META_FILE}), the NATS-Bench .pickle.pbz2 file or the NAS-Bench-201 .pth file"
DAMAGED = (OSError, EOFError, RuntimeError, pickle.UnpicklingError)
INCOMPLETE = (ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)  # what the packages raise

Release = tuple[Sequence[str], Callable[[int], tuple[Any, int]]]  # the cells; from the number of a cell to its API and its number there

MEASURED = {  # where the packages keep a column: the data set and epochs of the training, and the key in get_more_info
    "cifar10_valid": ("cifar10-valid", "200", "valid-accuracy"),  # trained on half of the training set only
    "cifar10_test": ("cifar10", "200", "test-accuracy"),
    "cifar100_valid": ("cifar100", "200", "valid-accuracy"),
    "cifar100_test": ("cifar100", "200", "test-accuracy"),
    "imagenet16-120_valid": ("ImageNet16-120", "200", "valid-accuracy"),
    "imagenet16-120_test": ("ImageNet16-120", "200", "test-accuracy"),
    "cifar10_valid_12": ("cifar10-valid", "12", "valid-accuracy"),
    "cifar100_valid_12": ("cifar100", "12", "valid-accuracy"),
    "imagenet16-120_valid_12": ("ImageNet16-120", "12", "valid-accuracy"),
}


def rows(source: Path, trust_pickle: bool) -> Iterator[dict]:
    """Yield the rows of an official file or folder; opening its pickles runs code, hence `trust_pickle`. Raises DamagedData."""
    if not source.exists():
        raise DamagedData(f"{source} does not exist; expected {KNOWN}")
    if source.suffix not in READERS and not (source / META_FILE).is_file():
        raise DamagedData(f"{source} cannot be read here; expected {KNOWN}")
    if not trust_pickle:
        raise DamagedData(
            f"{source} holds Python pickles, and opening a pickle runs whatever code it contains. Make sure that it is "
            "the official file (its name carries the end of its md5 sum), then say so with --trust-pickle"
        )
    with _explained(f"{source}"):
        archs, open_cell = READERS.get(source.suffix, _nats)(source)
    for index, arch in enumerate(archs):
        with _explained(f"cell {index} ({arch}) of {source}"):
            accuracies = _accuracies(*open_cell(index))
        yield {"index": index, "arch": arch} | accuracies


def _pth(path: Path) -> Release:
    """NAS-Bench-201: the whole file is loaded; the package gets one cell at a time, because it copies its input."""
    import torch  # here: the other forms need no torch
    from nas_201_api import NASBench201API

    content = torch.load(path, map_location="cpu", weights_only=False)  # the caller vouched for the file
    archs, infos = content["meta_archs"], content["arch2infos"]

    def open_cell(index: int) -> tuple[Any, int]:
        cell = {"meta_archs": [archs[index]], "arch2infos": {0: infos[index]}, "evaluated_indexes": [0]}
        return NASBench201API(cell, verbose=False), 0

    return archs, open_cell


def _nats(path: Path) -> Release:
    """NATS-Bench: from a folder the package reads a cell on request and keeps it, so the cells before are removed."""
    api = nats_bench.create(str(path), "topology", fast_mode=path.is_dir(), verbose=False)

    def open_cell(index: int) -> tuple[Any, int]:
        if api.fast_mode:
            api.arch2infos_dict.clear()
        return api, index

    return api.meta_archs, open_cell


READERS: dict[str, Callable[[Path], Release]] = {".pth": _pth, ".pbz2": _nats}  # a folder is NATS-Bench's


def _accuracies(api: Any, index: int) -> dict[str, float]:
    """The accuracies of a cell in per cent, by column; `index` is its number in `api`."""
    trainings = dict.fromkeys((dataset, epochs) for dataset, epochs, _ in MEASURED.values())
    infos = {training: api.get_more_info(index, training[0], hp=training[1], is_random=False) for training in trainings}
    return {column: round(float(infos[dataset, epochs][key]), DECIMALS) for column, (dataset, epochs, key) in MEASURED.items()}


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn the packages' own errors, which name neither the cell nor a remedy, into DamagedData."""
    try:
        yield
    except DAMAGED as error:
        raise DamagedData(f"{where}: damaged or not there ({error}). Unpack or download it again and compare its md5 sum.") from error
    except INCOMPLETE as error:
        raise DamagedData(
            f"{where}: its package does not find what the table needs ({error!r}). Unpack the whole archive; the first release, v1.0, "
            "lacks trials: take v1.1 or NATS-Bench."
        ) from error
