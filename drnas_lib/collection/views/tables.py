"""Tables 1 and 4 of the paper beside ours, with mean ± deviation of our seeds: rows in, a DataFrame of text out. Reads no file."""

from collections.abc import Iterable

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.benchmark.table import Benchmark

ABSENT = "–"
OPTIMUM = "optimal"
LEFT = {"text-align": "left"}
Formats = int | dict[str, str] | None  # significant digits of numbers, or a format for each column


def rank(benchmark: Benchmark | None, accuracies: Iterable[float], dataset: str, split: str) -> str:
    """The rank of a cell, or the median of several, as '120 (99.2 %)'; empty where it is not known."""
    standing = benchmark.median_standing(accuracies, dataset, split) if benchmark else None
    return standing.short if standing else ""


def shown(table: pd.DataFrame, digits: Formats = None) -> Styler | Markdown:
    """A table as a notebook shows it, all text aligned left, a dash for what is unknown; without rows, a sentence.

    A named index becomes a column, an index that only counts the rows is left out.
    """
    return Markdown("*None yet.*") if table.empty else _styled(table, digits)


def listing(rows: dict) -> Styler:
    """Names and their values, one pair below the other."""
    return _styled(pd.DataFrame({"": rows}), None).hide(axis="columns").set_properties(**{"white-space": "normal"})


def _styled(table: pd.DataFrame, digits: Formats) -> Styler:
    counted = table.index.nlevels == 1 and not table.index.name and pd.api.types.is_integer_dtype(table.index)
    if counted or table.index.nlevels == 1 and table.index.name:
        table = table.reset_index(drop=counted)  # rows may repeat, which pandas' styles do not allow in an index
    formats = (lambda value: _significant(value, digits)) if isinstance(digits, int) else digits
    style = table.style.format(formats, na_rep=ABSENT, escape="html").format_index(escape="html").hide(names=True)
    if isinstance(table.index, pd.RangeIndex):
        style = style.hide(axis="index")
    return style.set_properties(**LEFT).set_table_styles([{"selector": "th", "props": list(LEFT.items())}])


def _significant(value: object, digits: int) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def mean_std_text(mean: float | None, std: float | None = None) -> str:
    """'94.36 ± 0.00', '94.36' or a dash."""
    if mean is None or pd.isna(mean):
        return ABSENT
    return f"{mean:.2f}" if std is None or pd.isna(std) else f"{mean:.2f} ± {std:.2f}"


def measured(values: pd.Series) -> str:
    """Mean ± standard deviation of the sample (n - 1); one value alone has no spread."""
    return mean_std_text(values.mean(), values.std())


def against(ours: pd.Series, published: dict | None) -> str:
    """Our mean minus the published one, signed."""
    return ABSENT if published is None or ours.isna().all() else f"{round(ours.mean() - published['mean'], 2) + 0.0:+.2f}"


def by_stage(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each stage of each search: dataset, row, label, stage, k, operations_kept, and its memory in MB, the mean over seeds."""
    runs = runs.explode("stage_memory", ignore_index=True)
    stages = pd.concat([runs[["dataset", "row", "label"]], pd.DataFrame([*runs.stage_memory])], axis="columns")
    memory = ["activation_mb", "gpu_peak_memory_mb"]  # None where no GPU measured it
    stages[memory] = stages[memory].astype(float)
    return stages.groupby(["dataset", "row", "label", "stage", "k", "operations_kept"], sort=False, as_index=False)[memory].mean()


def memory(runs: pd.DataFrame) -> str:
    """The peak on a GPU where it was measured; otherwise the activations that a step keeps, which is another, smaller quantity."""
    for column, text in (("gpu_peak_memory_mb", "{:.0f} MB GPU peak"), ("activation_mb", "{:.1f} MB activations")):
        if runs[column].notna().any():
            return text.format(runs[column].astype(float).mean())
    return ABSENT


def seconds_text(runs: pd.DataFrame) -> str:
    value = runs.search_s.astype(float).mean()
    return ABSENT if pd.isna(value) else f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def table4(paper: list[dict], runs: pd.DataFrame, notes: dict[str, str], benchmark: Benchmark | None = None) -> pd.DataFrame:
    """Every row of Table 4: the paper's accuracy, ours, its rank, and the difference; a reduced run has no difference.

    `paper` are the rows of params/paper/table4.json, `runs` has a row per seed (comparison.RUN_COLUMNS), `notes` says by label why there is
    nothing. A data set of one's own gets another column and a method of one's own another line, which the paper does not have.
    """
    published = {row["method"]: row for row in paper}
    own = [f"{dataset}_test" for dataset in runs.dataset.unique()]
    columns = list(dict.fromkeys([*(name for name in paper[0] if name != "method"), *own]))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for label in dict.fromkeys([*published, *runs.label]):
        row, of_label = published.get(label), runs[runs.label == label]
        if row is not None:
            lines[label, "paper"] = {name: mean_std_text(**row[name]) if name in row else ABSENT for name in columns}
        for reduced, seeds in of_label.groupby(of_label.reduced != ""):
            kind = "reduced" if reduced else "ours"
            found = {name: _accuracies(seeds, *name.rsplit("_", 1)) for name in columns}
            ranks = {name: rank(benchmark, values, *name.rsplit("_", 1)) for name, values in found.items()}
            lines[label, kind] = {name: measured(values) for name, values in found.items()} | _cost(seeds)
            if any(ranks.values()) and label != OPTIMUM:
                lines[label, f"rank, {kind}"] = ranks
            if kind == "ours" and row is not None:
                lines[label, "difference"] = {name: against(values, row.get(name)) for name, values in found.items()}
        if of_label.empty:
            lines[label, "ours"] = dict.fromkeys(columns, ABSENT) | {"note": notes.get(label, "not run")}
        elif label in notes:
            lines[label, "ours" if (label, "ours") in lines else "reduced"]["note"] += f"; {notes[label]}"
    return _with_two_headings(lines, "method").reindex(columns=[*columns, "n", "search", "memory", "note"]).fillna("")


def _with_two_headings(lines: dict[tuple[str, str], dict[str, str]], first: str) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(lines, orient="index")
    return table.set_axis(pd.MultiIndex.from_tuples(table.index, names=[first, ""]))


def _accuracies(runs: pd.DataFrame, dataset: str, split: str) -> pd.Series:
    return runs.loc[runs.dataset == dataset, f"{split}_acc_pct"].astype(float)


def _cost(runs: pd.DataFrame) -> dict[str, str]:
    per_dataset = runs[runs.row != OPTIMUM].groupby("dataset", sort=False).size()
    seeds = str(per_dataset.iloc[0]) if per_dataset.nunique() == 1 else ", ".join(f"{name} {n}" for name, n in per_dataset.items())
    return {"n": seeds, "search": seconds_text(runs), "memory": memory(runs), "note": _reasons(runs)}


def _reasons(runs: pd.DataFrame) -> str:
    """In what the runs are reduced, each reason once."""
    return " | ".join(reason for reason in runs.reduced.unique() if reason)


def table1(paper: list[dict], runs: pd.DataFrame, notes: dict[str, str], benchmark: Benchmark | None = None) -> pd.DataFrame:
    """Table 1: for each data set and K, test accuracy with its rank, and memory, paper beside ours.

    `notes` says by data set why there is nothing.
    """
    published = {(row["dataset"], str(row["k"])): row for row in paper}
    lines = {}
    for dataset, k in [*published, *sorted(set(zip(runs.dataset, runs.row.astype(str))) - published.keys())]:
        row, of_k = published.get((dataset, k), {}), runs[(runs.dataset == dataset) & (runs.row == k)]
        full, reduced = (of_k.test_acc_pct[chosen].astype(float) for chosen in (of_k.reduced == "", of_k.reduced != ""))
        accuracy = row.get("test_accuracy_pct")
        lines[dataset, "progressive" if k == "ours" else f"K = {k}"] = {
            "paper: test accuracy (%)": mean_std_text(**accuracy) if accuracy else ABSENT,
            "ours: test accuracy (%)": measured(full),
            "difference": against(full, accuracy),
            "rank": rank(benchmark, full, dataset, "test"),
            "reduced run: test accuracy (%)": measured(reduced),
            "reduced run: rank": rank(benchmark, reduced, dataset, "test"),
            "n": str(len(of_k)) if len(of_k) else "",
            "paper: GPU memory (MB)": str(row.get("gpu_memory_mb", ABSENT)),
            "ours: memory": memory(of_k[of_k.reduced == ""]),
            "reduced run: memory": memory(of_k[of_k.reduced != ""]),
            "search": seconds_text(of_k),
            "note": _reasons(of_k) if len(of_k) else notes.get(dataset, "not run"),
        }
    return _with_two_headings(lines, "data set")
