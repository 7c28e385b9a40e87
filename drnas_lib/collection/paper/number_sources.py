"""For each number of the paper: which searches, trainings and counts answer it, the preferred first."""

from collections.abc import Callable
from typing import Any

from drnas_lib.benchmark.policies import LABELS
from drnas_lib.collection.paper import sources as of
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.collection.paper.numbers import OURS, PaperNumber
from drnas_lib.collection.paper.readers import READERS, edges_other_than
from drnas_lib.collection.paper.sources import Searches, Source
from drnas_lib.config.cells import find, published
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.recipes import darts_macro

Sources = tuple[Source, ...]
QUOTED = of.Unavailable("quoted by the paper from other work; no cell of it is published, so nothing can be run")
QUOTED_COST = of.Unavailable("the search cost of another method, quoted by the paper")
RESNET = of.Unavailable("not a cell of the space: NAS-Bench-201's own row of a ResNet, quoted")
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
    cells = [cell.name for cell in published().values() if cell.paper_rows.get(number.place.lower().replace(" ", "")) == number.row]
    searches = [Searches.of(read, space="darts", dataset=dataset, **OF_DRNAS[number.row])] if number.row in OF_DRNAS else []
    if number.column == "search_cost_gpu_days":
        return tuple(searches) or (QUOTED_COST,)
    known: list[Source]
    if number.column == "params_m":
        known = [of.CountedSize(cell, darts_macro(dataset)) for cell in cells]
    else:
        known = [of.Trainings(read, cell, dataset, protocol) for cell in cells for protocol in PROTOCOLS[number.place]]
    return (*known, *(of.FoundCellTrainings(read, search) for search in searches)) or (QUOTED,)


def _table4(number: PaperNumber) -> Sources:
    dataset, _, split = number.column.rpartition("_")
    if number.row == "optimal":
        return (of.TableOptimum(dataset, split),)
    if number.row in POLICY_OF:
        return (of.TableSearch(dataset, POLICY_OF[number.row], split),)
    if number.row not in METHOD_OF:
        return (RESNET,)
    # DrNAS by its released script, the others by their own authors' settings.
    protocols, method = ("released", "paper") if number.own else ("paper", "released"), METHOD_OF[number.row]
    return tuple(Searches.of(READERS[f"{split}_accuracy_pct"], dataset=dataset, method=method, protocol=protocol) for protocol in protocols)


def _table6(number: PaperNumber) -> Sources:
    read, given = READERS["test_error_pct"], read_params("search", f"{number.column.lower()}_cifar10_{ROBUST[number.row]}")
    note = "one of four strengths, of which the paper keeps the best cell" if number.row.startswith("R-DARTS") else ""
    return (of.FoundCellTrainings(read, Searches.of(read, **given), note),)


def _figures_2_and_3(number: PaperNumber) -> Sources:
    cell, dataset = number.entry["cell"], DATA[number.place]
    if number.column == "params_m":
        return (of.CountedSize(cell, darts_macro(dataset)),)
    return (Searches.of(edges_other_than(find(cell).genotype), space="darts", dataset=dataset),)


def _figures_4_and_5(number: PaperNumber) -> Sources:
    """For DARTS the growth of its eigenvalue; for DrNAS, in Figure 5 with each λ, the last eigenvalue over that of DARTS."""
    darts = {"dataset": "cifar10", "method": "darts"}
    if number.column == "eigenvalue_growth":
        return (Searches.of(READERS[number.column], **darts),)
    read, lam = READERS["last_eigenvalue"], number.entry["lam"]
    drnas = {"dataset": "cifar10"} | ({} if lam is None else {"lam": lam})
    return (of.RatioOfSearches(Searches.of(read, **drnas), Searches.of(read, **darts)),)


SOURCES: dict[str, Callable[[PaperNumber], Sources]] = {
    "Table 1": _table1,
    "Table 2": _tables_2_and_3,
    "Table 3": _tables_2_and_3,
    "Table 4": _table4,
    "Table 5": lambda number: (Searches.of(READERS[number.column], dataset="cifar10", lam=number.entry["lam"]),),
    "Table 6": _table6,
    "Figure 1": lambda number: (of.Explorations.of(READERS[number.column], dataset="cifar10"),),
    "Figure 2": _figures_2_and_3,
    "Figure 3": _figures_2_and_3,
    "Figure 4": _figures_4_and_5,
    "Figure 5": _figures_4_and_5,
}
