"""From the official files of NAS-Bench-201 to rows of the table: one dict a cell, keyed by the table's columns.

The authors' own packages read them: `nas_201_api` the `.pth` file of NAS-Bench-201 (Dong & Yang, ICLR 2020), `nats_bench` the topology
files of NATS-Bench (Dong et al., TPAMI 2021). A cell has trials by data set and seed; its accuracy is their mean after the last epoch.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nats_bench

from drnas_lib.errors import UserError

DECIMALS = 4  # of a per cent; one image of 10,000 is 0.01
META_FILE = "meta.pickle.pbz2"
KNOWN = f"the NATS-Bench topology folder (it holds {META_FILE}), the NATS-Bench .pickle.pbz2 file or the NAS-Bench-201 .pth file"
DAMAGED = (OSError, EOFError, RuntimeError, pickle.UnpicklingError)
INCOMPLETE = (ArithmeticError, AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError)  # what the packages raise

Opened = tuple[Sequence[str], Callable[[int], tuple[Any, int]]]  # the cells, and for the number of one its API and its number there


class Measured(NamedTuple):
    """Where the packages keep a column: trained on `dataset` for `epochs` epochs, `key` of get_more_info."""

    dataset: str
    epochs: str
    key: str


MEASURED = {
    "cifar10_valid": Measured("cifar10-valid", "200", "valid-accuracy"),  # trained on half of the training set only
    "cifar10_test": Measured("cifar10", "200", "test-accuracy"),
    "cifar100_valid": Measured("cifar100", "200", "valid-accuracy"),
    "cifar100_test": Measured("cifar100", "200", "test-accuracy"),
    "imagenet16-120_valid": Measured("ImageNet16-120", "200", "valid-accuracy"),
    "imagenet16-120_test": Measured("ImageNet16-120", "200", "test-accuracy"),
    "cifar10_valid_12": Measured("cifar10-valid", "12", "valid-accuracy"),
    "cifar100_valid_12": Measured("cifar100", "12", "valid-accuracy"),
    "imagenet16-120_valid_12": Measured("ImageNet16-120", "12", "valid-accuracy"),
}


class ConversionError(UserError, ValueError):
    """An official file that cannot be read or lacks what the table needs. The message says what to do."""


def rows(source: Path, trust_pickle: bool) -> Iterator[dict]:
    """The rows of an official file or folder, one cell after the other. Raises ConversionError.

    Opening a pickle runs the code in it, so nothing is opened without `trust_pickle`.
    """
    if not source.exists():
        raise ConversionError(f"{source} does not exist; expected {KNOWN}")
    if source.suffix not in READERS and not (source / META_FILE).is_file():
        raise ConversionError(f"{source} cannot be read here; expected {KNOWN}")
    if not trust_pickle:
        raise ConversionError(
            f"{source} holds Python pickles, and opening a pickle runs whatever code it contains. Make sure that it is "
            "the official file (its name carries the end of its md5 sum), then say so with --trust-pickle"
        )
    with _explained(f"{source}"):
        archs, open_cell = READERS.get(source.suffix, _nats)(source)
    for index, arch in enumerate(archs):
        with _explained(f"cell {index} ({arch}) of {source}"):
            accuracies = _accuracies(*open_cell(index))
        yield {"index": index, "arch": arch} | accuracies


def _pth(path: Path) -> Opened:
    """NAS-Bench-201: the whole file is loaded; the package then gets one cell at a time, because it copies all that it gets."""
    import torch  # reading the table must stay possible, and fast, without it
    from nas_201_api import NASBench201API

    content = torch.load(path, map_location="cpu", weights_only=False)  # the caller vouched for the file
    archs, infos = content["meta_archs"], content["arch2infos"]

    def open_cell(index: int) -> tuple[Any, int]:
        cell = {"meta_archs": [archs[index]], "arch2infos": {0: infos[index]}, "evaluated_indexes": [0]}
        return NASBench201API(cell, verbose=False), 0

    return archs, open_cell


def _nats(path: Path) -> Opened:
    """NATS-Bench: of the folder the package reads a cell when it is asked for it, and keeps it, so cells read before go."""
    api = nats_bench.create(str(path), "topology", fast_mode=path.is_dir(), verbose=False)

    def open_cell(index: int) -> tuple[Any, int]:
        if api.fast_mode:
            api.arch2infos_dict.clear()
        return api, index

    return api.meta_archs, open_cell


READERS: dict[str, Callable[[Path], Opened]] = {".pth": _pth, ".pbz2": _nats}  # a folder is NATS-Bench's


def _accuracies(api: Any, index: int) -> dict[str, float]:
    """In per cent, by column, of a cell of a package's API."""
    asked = dict.fromkeys((measured.dataset, measured.epochs) for measured in MEASURED.values())
    infos = {(dataset, epochs): api.get_more_info(index, dataset, hp=epochs, is_random=False) for dataset, epochs in asked}
    return {column: round(float(infos[m.dataset, m.epochs][m.key]), DECIMALS) for column, m in MEASURED.items()}


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """The packages' own errors say neither which cell it is nor what to do."""
    try:
        yield
    except DAMAGED as error:
        raise ConversionError(f"{where}: damaged or not there ({error}). Unpack or download it again and compare its md5 sum.") from error
    except INCOMPLETE as error:
        raise ConversionError(
            f"{where}: its package does not find what the table needs ({error!r}). Unpack the whole archive; the first release, v1.0, "
            "lacks trials: take v1.1 or NATS-Bench."
        ) from error
