"""What a number or a claim of the paper reads from a finished run. Every reader returns None where the run does not have the value."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from drnas_lib.benchmark.table import DATASETS
from drnas_lib.collection.studies.comparison import accuracy
from drnas_lib.config.cells import USUAL_DECAY
from drnas_lib.genotype import Genotype, GenotypeError, Nb201Genotype
from drnas_lib.runs.index import Run

Reader = Callable[[Run], float | None]
CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")


def _accuracy(split: str, run: Run) -> float | None:
    return accuracy(run.record, split)


def gpu_memory(run: Run) -> float | None:
    """Peak memory in MB, in the stage that needs most."""
    return _largest(run, "gpu_peak_memory_mb")


def activation_memory(run: Run) -> float | None:
    """MB that a weight step keeps for its backward pass, in the stage that keeps most."""
    return _largest(run, "activation_mb")


def _largest(run: Run, key: str) -> float | None:
    return max((stage[key] for stage in run.record["stages"] if stage.get(key)), default=None)


def gpu_days(run: Run) -> float | None:
    """Cost of a search on a GPU."""
    return None if run.record["device"].startswith("CPU") else run.hours / 24


def _test_error(metric: str, run: Run) -> float | None:
    """Of a training after its last epoch, in per cent."""
    return run.record["metrics"].get(f"{run.dataset}_{metric}_last")


def parameter_free_share(run: Run) -> float | None:
    """Share of a NAS-Bench-201 cell's edges that have no convolution."""
    try:
        edges = Nb201Genotype.parse(run.record["genotype"]).operations
    except GenotypeError:
        return None
    return sum(operation not in CONVOLUTIONS for operation in edges) / len(edges)


def range_ratio(run: Run) -> float | None:
    """Range of the drawn cells' accuracy after the last epoch over that after the first."""
    draws = _draws(run)
    if draws is None:
        return None
    ranges = draws.q100_pct - draws.q0_pct
    return float(ranges.iloc[-1] / ranges.iloc[0])


def mean_against_best(run: Run) -> float | None:
    """Accuracy of the Dirichlet mean's cell minus that of the best drawn cell, after the last epoch, in points."""
    draws = _draws(run)
    return None if draws is None else float(draws.mean_cell_pct.iloc[-1] - draws.q100_pct.iloc[-1])


def _draws(run: Run) -> pd.DataFrame | None:
    """A row for each epoch, on the data set searched, or on CIFAR-10 where the benchmark does not have that one."""
    draws = run.beside.get("exploration")
    if draws is None:
        return None
    return draws[draws.dataset == (run.dataset if run.dataset in DATASETS else DATASETS[0])].sort_values("epoch")


def eigenvalue_growth(run: Run) -> float | None:
    """Dominant eigenvalue of the Hessian at the last snapshot over that at the first."""
    rows = run.beside.get("eigenvalues")
    return None if rows is None else float(rows.dominant.iloc[-1] / rows.dominant.iloc[0])


def last_eigenvalue(run: Run) -> float | None:
    """Dominant eigenvalue of the loss at the last snapshot, without the ridge that the measurement adds."""
    rows = run.beside.get("eigenvalues")
    return None if rows is None else float(rows.dominant.iloc[-1] - rows.ridge.iloc[-1])


def edges_other_than(published: Genotype) -> Reader:
    """A reader of the number of edges in which a found DARTS cell differs from the published one."""
    wanted = _edges(str(published))
    return lambda run: float(len(wanted - _edges(run.record["genotype"])))


def _edges(text: str) -> set[tuple[str, int, str]]:
    """(kind of cell, node, operation and input) of each edge in a DARTS cell's text."""
    cells = [part.split(": ") for part in text.split("; ")]
    return {(kind, node, edge) for kind, nodes in cells for node, edges in enumerate(nodes.split(" | ")) for edge in edges.split()}


READERS: dict[str, Reader] = {  # column of a table or figure, or `value` of a claim -> its reader
    **{f"{split}_accuracy_pct": partial(_accuracy, split) for split in ("valid", "test")},
    "gpu_memory_mb": gpu_memory,
    "activation_mb": activation_memory,
    "search_cost_gpu_days": gpu_days,
    "test_error_pct": partial(_test_error, "test_error_pct"),
    "top1_error_pct": partial(_test_error, "test_error_pct"),
    "top5_error_pct": partial(_test_error, "test_top5_error_pct"),
    "params_m": lambda run: run.record["network"]["parameters"] / 1e6,
    "parameter_free": parameter_free_share,
    "range_ratio": range_ratio,
    "mean_against_best": mean_against_best,
    "eigenvalue_growth": eigenvalue_growth,
    "last_eigenvalue": last_eigenvalue,
}


def kind_of_search(parameters: dict[str, Any]) -> tuple:
    """What identifies a search whatever its length: space, method, partial channels or stages, lambda, KL, R-DARTS' regularisation."""
    stages, nb201 = parameters["stages"], parameters["space"] == "nb201"
    ks = tuple(stage["k"] for stage in stages) if nb201 else len(stages)
    robust = () if nb201 else (bool(parameters.get("drop_path")), parameters["weight_decay"] > USUAL_DECAY)
    return parameters["space"], parameters["method"], ks, parameters["lam"], parameters.get("regulariser") == "kl", robust
