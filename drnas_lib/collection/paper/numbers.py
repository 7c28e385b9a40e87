"""The numbers printed in the paper's tables and figures, with their digits and units.

The numbers are in params/paper; nothing here reads a result of ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from drnas_lib.collection.views.published import PAPER, paper_table
from drnas_lib.runs.files import read_json

OURS = "ours"  # the row of Table 1 that is the paper's own method


@dataclass(frozen=True)
class Column:
    """A quantity: its name, its unit, the digits that the paper prints, and the row of verdicts.RULES that compares it."""

    label: str
    unit: str
    decimals: int
    rule: str


DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
BENCHMARK = [(dataset, split) for dataset in DATASETS for split in ("valid", "test")]
SPLITS = {"valid": "validation", "test": "test"}
COLUMNS = {
    "test_accuracy_pct": Column("test accuracy", "%", 2, "accuracy"),
    "gpu_memory_mb": Column("GPU memory", "MB", 0, "at_most"),
    "test_error_pct": Column("test error", "%", 2, "error"),
    "top1_error_pct": Column("top-1 error", "%", 1, "error"),
    "top5_error_pct": Column("top-5 error", "%", 1, "error"),
    "params_m": Column("parameters", "M", 1, "exact"),
    "search_cost_gpu_days": Column("search cost", "GPU days", 1, "at_most"),
    **{f"{dataset}_{split}": Column(f"{DATASETS[dataset]} {SPLITS[split]} accuracy", "%", 2, "accuracy") for dataset, split in BENCHMARK},
    **{space: Column(f"{space} test error", "%", 2, "error") for space in ("S1", "S2", "S3", "S4")},
    # Of figures: ratios of the last to the first value, or to that of DARTS. The figure shows that they are below 1.
    "range_ratio": Column("range at the end / at the start", "", 2, "below"),
    "eigenvalue_ratio": Column("eigenvalue at the end / that of DARTS", "", 2, "below"),
    "eigenvalue_growth": Column("eigenvalue at the end / at the start", "", 0, "about"),
    "other_edges": Column("edges that differ", "", 0, "exact"),
}
TABLES = {1: "dataset", 2: "architecture", 3: "architecture", 4: "method", 5: "lam", 6: "method"}  # number -> key of a row's name
FIGURES = (1, 2, 3, 4, 5)
MARKED = {"no_cutout": "test_error_pct", "different_space": "test_error_pct", "cost_on_one_gtx_1080ti": "search_cost_gpu_days"}


@dataclass(frozen=True)
class PaperNumber:
    """`place` is 'Table 4' or 'Figure 1', `column` a key of COLUMNS; `spread` and `runs` are None where the paper does not say."""

    place: str
    row: str
    column: str
    value: float
    spread: float | None = None
    runs: int | None = None
    note: str = ""
    entry: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # the row as its file has it

    @property
    def key(self) -> str:
        """The place as files name it, 'table4'."""
        return self.place.lower().replace(" ", "")

    @property
    def quantity(self) -> Column:
        return COLUMNS[self.column]

    @property
    def quantity_text(self) -> str:
        """'test accuracy (%)'."""
        return f"{self.quantity.label} ({self.quantity.unit})" if self.quantity.unit else self.quantity.label

    @property
    def benchmark_column(self) -> tuple[str, str] | None:
        """Data set and split of NAS-Bench-201 whose accuracy this is; None for other numbers."""
        if self.column == "test_accuracy_pct":
            return self.entry.get("dataset", "cifar10"), "test"
        dataset, _, split = self.column.rpartition("_")
        return (dataset, split) if (dataset, split) in BENCHMARK else None

    @property
    def own(self) -> bool:
        """Whether it belongs to the paper's own method, for which a better result also counts as reproduced."""
        return self.row.startswith("DrNAS") or self.entry.get("k") == OURS

    @property
    def headline(self) -> bool:
        """Whether it is a main result of the paper: an accuracy or error of its own method in Tables 2, 3 and 4."""
        return self.row == "DrNAS" and self.place in ("Table 2", "Table 3", "Table 4") and self.quantity.rule in ("accuracy", "error")

    @property
    def printed(self) -> str:
        """As the paper prints it, '94.36 ± 0.00', with '?' where our copy is not legible; for a figure, what we read from it."""
        digits, rule = self.quantity.decimals, self.quantity.rule
        if rule == "below":
            return "< 1"
        if rule == "about":
            return f"about {self.value:.{digits}f}"
        if rule == "at_most":  # 0.6 GPU days, 2000 GPU days, 949 MB
            return f"{self.value:g}"
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.value:.{digits}f}{spread}{' ?' if self.column in self.entry.get('uncertain', {}) else ''}"


def numbers() -> list[PaperNumber]:
    """All numbers, table by table, then figure by figure, in the paper's order."""
    return [*chain.from_iterable(map(of_table, TABLES)), *chain.from_iterable(map(of_figure, FIGURES))]


def of_table(number: int) -> Iterator[PaperNumber]:
    """The numbers of a table; a dash in the paper gives none."""
    published = paper_table(number)
    for row in published["rows"]:
        name = _row_name(number, row)
        for column in (key for key in row if key in COLUMNS and row[key] is not None):
            value = row[column] if isinstance(row[column], dict) else {"mean": row[column], "std": None}
            note = "; ".join(_notes(published, row, name, column))
            yield PaperNumber(f"Table {number}", name, column, value["mean"], value["std"], published.get("runs"), note, row)


def _row_name(number: int, row: dict[str, Any]) -> str:
    name = row[TABLES[number]]
    if number == 1:
        return f"{name}, progressive" if row["k"] == OURS else f"{name}, K = {row['k']}"
    return f"λ = {name:g}" if number == 5 else name


def _notes(published: dict, row: dict, name: str, column: str) -> Iterator[str]:
    if f"{name}, {column}" in published.get("notes", {}):
        yield published["notes"][f"{name}, {column}"]
    if column in row.get("uncertain", {}):
        yield row["uncertain"][column]
    if "note" in row and column == "params_m":
        yield row["note"]
    if "mark" in row and MARKED[row["mark"]] == column:
        yield published["marks"][row["mark"]]


def of_figure(number: int) -> Iterator[PaperNumber]:
    """What params/paper/figures.json says that a figure shows."""
    figure = next(figure for figure in read_json(PAPER / "figures.json")["figures"] if figure["number"] == number)
    for lam in figure.get("lams", [None]):
        for part in figure["shows"]:
            row, value, entry = part["row"].format(lam), part.get("value", 1.0), part | {"cell": figure.get("cell"), "lam": lam}
            yield PaperNumber(f"Figure {number}", row, part["column"], value, note=part.get("note", ""), entry=entry)
