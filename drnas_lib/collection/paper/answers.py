"""For each number of the paper: which searches, trainings and counts answer it, the preferred first, and what is read from a run."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from drnas_lib.benchmark.policies import LABELS
from drnas_lib.benchmark.table import DATASETS
from drnas_lib.collection.paper import measured
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.collection.paper.measured import Reader, Searches, Source
from drnas_lib.collection.paper.numbers import OURS, PaperNumber
from drnas_lib.collection.studies.comparison import accuracy
from drnas_lib.config.cells import find, published
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.recipes import darts_macro
from drnas_lib.genotype import Genotype, GenotypeError, Nb201Genotype
from drnas_lib.runs.index import Run

Sources = tuple[Source, ...]
QUOTED = Source(note="quoted by the paper from other work; no cell of it is published, so nothing can be run")
QUOTED_COST = Source(note="the search cost of another method, quoted by the paper")
RESNET = Source(note="not a cell of the space: NAS-Bench-201's own row of a ResNet, quoted")
DATA = {"Table 2": "cifar10", "Table 3": "imagenet", "Figure 2": "cifar10", "Figure 3": "imagenet"}  # of the DARTS space
PROTOCOLS = {"Table 2": ("released",), "Table 3": ("released", "paper")}  # of trainings
OF_DRNAS: dict[str, dict[str, Any]] = {  # row of Tables 2 and 3 -> parameters of its search besides space and data
    "DrNAS": {},
    "DrNAS (without progressive learning)": {"progressive": False},
}
ROBUST = {  # row of Table 6 -> params/search/<space>_cifar10_<this>.yaml
    "DARTS": "darts_released",
    "R-DARTS (DP)": "darts_released_dp",
    "R-DARTS (L2)": "darts_released_l2",
    "DrNAS": "drnas_released",
}
METHOD_OF = {row.label: name for name, row in METHODS.items()}
POLICY_OF = {label: name for name, label in LABELS.items()}
CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")


def _accuracy(split: str) -> Reader:
    """A reader of the found cell's accuracy in per cent; on a data set of the benchmark only where it was looked up there."""
    return lambda run: accuracy(run.record, split) if run.looked_up or run.dataset not in DATASETS else None


def _processes(run: Run) -> int:
    return run.record.get("processes", 1)


def _of_stages(key: str) -> Reader:
    """A reader of the stage that needs most memory."""
    return lambda run: max((stage[key] for stage in run.record["stages"] if stage.get(key)), default=None)


def _test_error(metric: str) -> Reader:
    """A reader of a training's error after the last epoch, in per cent."""
    return lambda run: run.record["metrics"].get(f"{run.dataset}_{metric}_last")


def _beside(table: str, statistic: Callable[[pd.DataFrame], float]) -> Reader:
    """A reader of a table beside a run, a row for each epoch; on the data set searched, or CIFAR-10 where the benchmark lacks that one."""

    def read(run: Run) -> float | None:
        rows = run.beside.get(table)
        if rows is None:
            return None
        if "dataset" in rows:
            rows = rows[rows.dataset == (run.dataset if run.dataset in DATASETS else DATASETS[0])].sort_values("epoch")
        found = float(statistic(rows))
        return None if math.isnan(found) else found

    return read


def _last_to_first(values: pd.Series) -> float:
    return values.iloc[-1] / values.iloc[0]


def _parameter_free(run: Run) -> float | None:
    """Share of a NAS-Bench-201 cell's edges that have no convolution."""
    try:
        edges = Nb201Genotype.parse(run.record["genotype"]).operations
    except GenotypeError:
        return None
    return sum(operation not in CONVOLUTIONS for operation in edges) / len(edges)


READERS: dict[str, Reader] = {  # column of a table or figure, or `value` of a claim -> its reader
    "valid_accuracy_pct": _accuracy("valid"),
    "test_accuracy_pct": _accuracy("test"),
    "gpu_memory_mb": lambda run: _of_stages("gpu_peak_memory_mb")(run) if _processes(run) == 1 else None,  # of one of them
    "activation_mb": _of_stages("activation_mb"),  # that a weight step keeps for its backward pass
    "search_cost_gpu_days": lambda run: None if run.record["device"].startswith("CPU") else run.hours * _processes(run) / 24,
    "test_error_pct": _test_error("test_error_pct"),
    "top1_error_pct": _test_error("test_error_pct"),
    "top5_error_pct": _test_error("test_top5_error_pct"),
    "params_m": lambda run: run.record["network"]["parameters"] / 1e6,
    "parameter_free": _parameter_free,
    # Of the cells drawn in an epoch: the range of their accuracy, and how far the mean's cell is above the best of them, in points.
    "range_ratio": _beside("exploration", lambda draws: _last_to_first(draws.q100_pct - draws.q0_pct)),
    "mean_against_best": _beside("exploration", lambda draws: draws.mean_cell_pct.iloc[-1] - draws.q100_pct.iloc[-1]),
    "eigenvalue_growth": _beside("eigenvalues", lambda rows: _last_to_first(rows.dominant) if rows.dominant.iloc[0] > 0 else math.nan),
    # Of the loss: without the ridge that the measurement adds.
    "last_eigenvalue": _beside("eigenvalues", lambda rows: rows.dominant.iloc[-1] - rows.ridge.iloc[-1]),
}


def edges_other_than(published: Genotype) -> Reader:
    """A reader of the number of edges in which a found DARTS cell differs from the published one."""
    wanted = _edges(str(published))
    return lambda run: float(len(wanted - _edges(run.record["genotype"])))


def _edges(text: str) -> set[tuple[str, int, str]]:
    """(kind of cell, node, operation and input) of each edge in a DARTS cell's text."""
    cells = [part.split(": ") for part in text.split("; ")]
    return {(kind, node, edge) for kind, nodes in cells for node, edges in enumerate(nodes.split(" | ")) for edge in edges.split()}


def sources(number: PaperNumber) -> Sources:
    """The sources of a number; of several the first with a full run counts."""
    return SOURCES[number.place](number)


def _table1(number: PaperNumber) -> Sources:
    read, dataset, k = READERS[number.column], number.entry["dataset"], number.entry["k"]
    if k == OURS:  # 949 MB are the memory of K = 8, as in the text; the code's stages have K = 4, then 2
        return tuple(Searches.of(read, dataset=dataset, **given) for given in ({"protocol": "paper"}, {"progressive": True}))
    return (Searches.of(read, dataset=dataset, progressive=False, k=[k]),)


def _tables_2_and_3(number: PaperNumber) -> Sources:
    """Published cells, counted or trained, and those that our searches find."""
    read, dataset = READERS[number.column], DATA[number.place]
    cells = [cell.name for cell in published().values() if cell.paper_rows.get(number.key) == number.row]
    searches = [Searches.of(read, space="darts", dataset=dataset, **OF_DRNAS[number.row])] if number.row in OF_DRNAS else []
    if number.column == "search_cost_gpu_days":
        return tuple(searches) or (QUOTED_COST,)
    known: list[Source]
    if number.column == "params_m":
        known = [measured.CountedSize(cell, darts_macro(dataset)) for cell in cells]
    else:
        known = [measured.Trainings(read, cell, dataset, protocol) for cell in cells for protocol in PROTOCOLS[number.place]]
    return (*known, *(measured.FoundCellTrainings(read, search) for search in searches)) or (QUOTED,)


def _table4(number: PaperNumber) -> Sources:
    dataset, _, split = number.column.rpartition("_")
    if number.row == "optimal":
        return (measured.TableOptimum(dataset, split, note="the best of all 15,625 cells, looked up"),)
    if number.row in POLICY_OF:
        return (measured.TableSearch(dataset, POLICY_OF[number.row], split),)
    if number.row not in METHOD_OF:
        return (RESNET,)
    # DrNAS by its released script, whose search has K = 1: the progressive one is in Table 1. The others by their own authors' settings.
    protocols, method = ("released",) if number.own else ("paper", "released"), METHOD_OF[number.row]
    return tuple(Searches.of(READERS[f"{split}_accuracy_pct"], dataset=dataset, method=method, protocol=protocol) for protocol in protocols)


def _table6(number: PaperNumber) -> Sources:
    read, given = READERS["test_error_pct"], read_params("search", f"{number.column.lower()}_cifar10_{ROBUST[number.row]}")
    note = "one of four strengths, of which the paper keeps the best cell" if number.row.startswith("R-DARTS") else ""
    return (measured.FoundCellTrainings(read, Searches.of(read, **given), note=note),)


def _figures_2_and_3(number: PaperNumber) -> Sources:
    cell, dataset = number.entry["cell"], DATA[number.place]
    if number.column == "params_m":
        return (measured.CountedSize(cell, darts_macro(dataset)),)
    return (Searches.of(edges_other_than(find(cell).genotype), space="darts", dataset=dataset),)


def _figures_4_and_5(number: PaperNumber) -> Sources:
    """For DARTS the growth of its eigenvalue; for DrNAS, in Figure 5 with each λ, the last eigenvalue over that of DARTS."""
    darts = {"dataset": "cifar10", "method": "darts"}
    if number.column == "eigenvalue_growth":
        return (Searches.of(READERS[number.column], **darts),)
    read, lam = READERS["last_eigenvalue"], number.entry["lam"]
    drnas = {"dataset": "cifar10"} | ({} if lam is None else {"lam": lam})
    return (measured.RatioOfSearches(Searches.of(read, **drnas), Searches.of(read, **darts)),)


SOURCES: dict[str, Callable[[PaperNumber], Sources]] = {
    "Table 1": _table1,
    "Table 2": _tables_2_and_3,
    "Table 3": _tables_2_and_3,
    "Table 4": _table4,
    "Table 5": lambda number: (Searches.of(READERS[number.column], dataset="cifar10", lam=number.entry["lam"]),),
    "Table 6": _table6,
    "Figure 1": lambda number: (measured.Explorations.of(READERS[number.column], dataset="cifar10"),),
    "Figure 2": _figures_2_and_3,
    "Figure 3": _figures_2_and_3,
    "Figure 4": _figures_4_and_5,
    "Figure 5": _figures_4_and_5,
}
