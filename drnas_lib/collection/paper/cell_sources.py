"""Which searches, trainings and counts would make each number of the paper, the preferred first: the one table that ties them together."""

from collections.abc import Callable

from drnas_lib.benchmark.policies import LABELS
from drnas_lib.collection.paper import figure_sources as figures
from drnas_lib.collection.paper.commands import read_params
from drnas_lib.collection.paper.numbers import OURS, PaperCell
from drnas_lib.collection.paper.sources import Counted, LookedUp, Nothing, Optimum, Searched, Source, Trained, TrainedFound
from drnas_lib.collection.studies.comparison import accuracy
from drnas_lib.config.cells import find, published
from drnas_lib.config.method_presets import METHODS
from drnas_lib.runs.index import Run

Sources = tuple[Source, ...]
QUOTED = Nothing("quoted by the paper from other work; no cell of it is published, so nothing can be run")
QUOTED_COST = Nothing("the search cost of another method, quoted by the paper")
RESNET = Nothing("not a cell of the space: NAS-Bench-201's own row of a ResNet, quoted")
ON_CIFAR = {"space": "darts", "dataset": "cifar10"}
ON_IMAGENET = {"space": "darts", "dataset": "imagenet"}
OF_DRNAS = {  # row of Tables 2 and 3 -> what the search behind it has besides space and data
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


def sources(cell: PaperCell) -> Sources:
    """The sources of a cell; of several the first with a full run counts."""
    return SOURCES[cell.place](cell)


def valid_accuracy(run: Run) -> float | None:
    return accuracy(run.record, "valid")


def test_accuracy(run: Run) -> float | None:
    return accuracy(run.record, "test")


def gpu_memory(run: Run) -> float | None:
    """MB at the peak, of the stage that needs most; None where no GPU measured it."""
    return max((stage["gpu_peak_memory_mb"] for stage in run.record["stages"] if stage["gpu_peak_memory_mb"]), default=None)


def gpu_days(run: Run) -> float | None:
    """Of a search; None on a CPU."""
    return None if run.record["device"].startswith("CPU") else run.hours / 24


def top1_error(run: Run) -> float | None:
    """In per cent after the last epoch, as is top5_error."""
    return run.record["metrics"].get(f"{run.dataset}_test_error_pct_last")


def top5_error(run: Run) -> float | None:
    return run.record["metrics"].get(f"{run.dataset}_test_top5_error_pct_last")


def size(run: Run) -> float | None:
    """Million parameters of a trained network."""
    return run.record["network"]["parameters"] / 1e6


SPLITS = {"valid": valid_accuracy, "test": test_accuracy}
TOP_ERRORS = {"top1_error_pct": top1_error, "top5_error_pct": top5_error}  # columns of Table 3


def _table1(cell: PaperCell) -> Sources:
    dataset, k = cell.entry["dataset"], cell.entry["k"]
    read = {"test_accuracy_pct": test_accuracy, "gpu_memory_mb": gpu_memory}[cell.column]
    if k == OURS:  # 949 MB are K = 8, as the text says; the code ships 4 to 2
        return tuple(Searched.of(read, dataset=dataset, **given) for given in ({"protocol": "paper"}, {"progressive": True}))
    return (Searched.of(read, dataset=dataset, progressive=False, k=[k]),)


def _networks(table: str, network: str, search: dict, errors: dict[str, Callable], protocols: tuple[str, ...]):
    """Of Table 2 or 3: published cells, counted or trained, and those that `search` finds. `errors` by the table's column."""

    def of(cell: PaperCell) -> Sources:
        names = [known.name for known in published().values() if known.paper_rows.get(table) == cell.row]
        own = [Searched.of(gpu_days, **search, **OF_DRNAS[cell.row])] if cell.row in OF_DRNAS else []
        if cell.column == "search_cost_gpu_days":
            return tuple(own) or (QUOTED_COST,)
        if cell.column == "params_m":
            read, found = size, [Counted(name, network) for name in names]
        else:
            read = errors[cell.column]
            found = [Trained(name, search["dataset"], read, protocol) for name in names for protocol in protocols]
        return (*found, *(TrainedFound(search, read) for search in own)) or (QUOTED,)

    return of


def _table4(cell: PaperCell) -> Sources:
    dataset, _, split = cell.column.rpartition("_")
    if cell.row == "optimal":
        return (Optimum(dataset, split),)
    if cell.row in POLICY_OF:
        return (LookedUp(dataset, POLICY_OF[cell.row], split),)
    if cell.row not in METHOD_OF:
        return (RESNET,)
    order = ("released", "paper") if cell.own else ("paper", "released")  # the code's plain script; the others as their authors have them
    return tuple(Searched.of(SPLITS[split], dataset=dataset, method=METHOD_OF[cell.row], protocol=protocol) for protocol in order)


def _table5(cell: PaperCell) -> Sources:
    return (Searched.of(test_accuracy, dataset="cifar10", lam=cell.entry["lam"]),)


def _table6(cell: PaperCell) -> Sources:
    given = read_params("search", f"{cell.column.lower()}_cifar10_{ROBUST[cell.row]}")
    why = "one of four strengths, of which the paper keeps the best cell" if cell.row.startswith("R-DARTS") else ""
    return (TrainedFound(Searched.of(top1_error, **given), top1_error, why),)


def _figure1(cell: PaperCell) -> Sources:
    return (figures.Explored.of(figures.range_ratio, dataset="cifar10"),)


def _cell_found(network: str) -> Callable[[PaperCell], Sources]:
    def of(cell: PaperCell) -> Sources:
        if cell.column == "params_m":
            return (Counted(cell.entry["cell"], network),)
        given = {"cifar": ON_CIFAR, "imagenet": ON_IMAGENET}[network]
        return (Searched.of(figures.other_edges(find(cell.entry["cell"]).genotype), **given),)

    return of


def _figure4(cell: PaperCell) -> Sources:
    if cell.column == "eigenvalue_growth":
        return (Searched.of(figures.growth, dataset="cifar10", method="darts"),)
    return (_below_darts(),)


def _figure5(cell: PaperCell) -> Sources:
    return (_below_darts(lam=cell.entry["lam"]),)


def _below_darts(**given: float) -> Source:
    ours, darts = ({"dataset": "cifar10"} | given, {"dataset": "cifar10", "method": "darts"})
    return figures.Beside(Searched.of(figures.at_the_end, **ours), Searched.of(figures.at_the_end, **darts))


SOURCES: dict[str, Callable[[PaperCell], Sources]] = {
    "Table 1": _table1,
    "Table 2": _networks("table2", "cifar", ON_CIFAR, {"test_error_pct": top1_error}, ("released",)),
    "Table 3": _networks("table3", "imagenet", ON_IMAGENET, TOP_ERRORS, ("released", "paper")),
    "Table 4": _table4,
    "Table 5": _table5,
    "Table 6": _table6,
    "Figure 1": _figure1,
    "Figure 2": _cell_found("cifar"),
    "Figure 3": _cell_found("imagenet"),
    "Figure 4": _figure4,
    "Figure 5": _figure5,
}
