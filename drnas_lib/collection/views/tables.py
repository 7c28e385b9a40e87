"""Tables of the paper beside ours: rows in, a DataFrame of text out. Nothing here reads a file or computes a result."""

from collections.abc import Callable, Iterable

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

SPLITS = ("valid", "test")
ABSENT = "–"
OPTIMUM = "optimal"
LEFT = {"text-align": "left"}
Rank = Callable[[Iterable[float], str, str], str]  # accuracies of seeds, data set, split -> '120 (99.2 %)', '' where there is no rank


def no_rank(accuracies: Iterable[float], dataset: str, split: str) -> str:
    """Without the benchmark's table."""
    return ""


def shown(table: pd.DataFrame, digits: int | dict[str, str] | None = None) -> Styler | Markdown:
    """A table as a notebook shows it: headings stand over what they head, a dash for what is unknown; without rows, a sentence.

    `digits`: how many significant ones numbers have, or a format for each column. A named index becomes a column, a mere count of the
    rows is left out.
    """
    if table.empty:
        return Markdown("*None yet.*")
    counted = table.index.nlevels == 1 and not table.index.name and pd.api.types.is_integer_dtype(table.index)
    if counted or table.index.nlevels == 1 and table.index.name:
        table = table.reset_index(drop=counted)  # rows may repeat, of which pandas' styles want to know nothing
    formats = (lambda value: _significant(value, digits)) if isinstance(digits, int) else digits
    style = table.style.format(formats, na_rep=ABSENT, escape="html").format_index(escape="html").hide(names=True)
    if isinstance(table.index, pd.RangeIndex):
        style = style.hide(axis="index")
    return style.set_properties(**LEFT).set_table_styles([{"selector": "th", "props": list(LEFT.items())}])


def listing(rows: dict) -> Styler:
    """Names and what they stand for, one below the other."""
    return shown(pd.DataFrame({"": rows})).hide(axis="columns").set_properties(**{"white-space": "normal"})


def _significant(value: object, digits: int) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def spread(mean: float | None, std: float | None = None) -> str:
    """'94.36 ± 0.00', '94.36' or a dash."""
    if mean is None or pd.isna(mean):
        return ABSENT
    return f"{mean:.2f}" if std is None or pd.isna(std) else f"{mean:.2f} ± {std:.2f}"


def measured(values: pd.Series) -> str:
    """Mean ± standard deviation of the sample (n - 1); one value alone has no spread."""
    values = values.dropna()
    return spread(values.mean() if len(values) else None, values.std() if len(values) > 1 else None)


def against(ours: pd.Series, published: dict | None) -> str:
    """Our mean minus the published one, signed."""
    ours = ours.dropna()
    return ABSENT if published is None or not len(ours) else f"{round(ours.mean() - published['mean'], 2) + 0.0:+.2f}"


def memory(runs: pd.DataFrame) -> str:
    """The peak on a GPU where it was measured; otherwise the activations that a step keeps, which is another, smaller quantity."""
    peak = runs.gpu_peak_memory_mb.dropna().astype(float)
    kept = runs.activation_mb.dropna().astype(float)
    return f"{peak.mean():.0f} MB GPU peak" if len(peak) else f"{kept.mean():.1f} MB activations" if len(kept) else ABSENT


def seconds(runs: pd.DataFrame) -> str:
    value = runs.search_s.astype(float).mean()
    return ABSENT if pd.isna(value) else f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def table4(paper: list[dict], runs: pd.DataFrame, notes: dict[str, str], rank: Rank = no_rank) -> pd.DataFrame:
    """Every row of Table 4: what the paper has, what we found, its rank, and the difference; a reduced run has no difference.

    `paper` are the rows of params/paper/table4.json, `runs` has a row per seed (comparison.RUN_COLUMNS), `notes` says by label why there is
    nothing. A data set of one's own gets a column more and a method of one's own a line more, of which the paper says nothing.
    """
    published = [name for name in paper[0] if name != "method"]
    own = [f"{dataset}_test" for dataset in dict.fromkeys(runs.dataset) if f"{dataset}_test" not in published]
    columns, lines, of_paper = [*published, *own], {}, {row["method"]: row for row in paper}
    for label in dict.fromkeys([*of_paper, *runs.label]):
        row = of_paper.get(label, {})
        if row:
            lines[label, "paper"] = {name: spread(**row[name]) for name in published} | dict.fromkeys(own, ABSENT) | {"note": ""}
        of_row = runs[runs.label == label]
        for kind, some in (("ours", of_row[of_row.reduced == ""]), ("reduced", of_row[of_row.reduced != ""])):
            if len(some):
                found = {name: _accuracies(some, name) for name in columns}
                lines[label, kind] = {name: measured(values) for name, values in found.items()} | _cost(some)
                ranks = {name: rank(values, *name.rsplit("_", 1)) for name, values in found.items()}
                if any(ranks.values()) and label != OPTIMUM:
                    lines[label, f"rank, {kind}"] = ranks
                if kind == "ours" and row:
                    lines[label, "difference"] = {name: against(values, row.get(name)) for name, values in found.items()}
        if not len(of_row):
            lines[label, "ours"] = dict.fromkeys(columns, ABSENT) | {"note": notes.get(label, "not run")}
        elif label in notes:
            lines[label, "ours" if (label, "ours") in lines else "reduced"]["note"] += f"; {notes[label]}"
    table = pd.DataFrame.from_dict(lines, orient="index").reindex(columns=[*columns, "n", "search", "memory", "note"]).fillna("")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["method", ""])
    return table


def _accuracies(runs: pd.DataFrame, column: str) -> pd.Series:
    dataset, _, split = column.rpartition("_")
    return runs.loc[runs.dataset == dataset, f"{split}_acc_pct"].astype(float)


def _cost(runs: pd.DataFrame) -> dict:
    reasons = " | ".join(dict.fromkeys(reason for reason in runs.reduced if reason))
    per_dataset = runs[runs.row != "optimal"].groupby("dataset", sort=False).size()
    seeds = str(per_dataset.iloc[0]) if per_dataset.nunique() == 1 else ", ".join(f"{name} {n}" for name, n in per_dataset.items())
    return {"n": seeds, "search": seconds(runs), "memory": memory(runs), "note": reasons}


def table1(paper: list[dict], runs: pd.DataFrame, notes: dict[str, str], rank: Rank = no_rank) -> pd.DataFrame:
    """Table 1: for each data set and K, test accuracy with its rank, and memory, paper beside ours.

    `notes` says by data set why there is nothing.
    """
    lines = {}
    published = {(row["dataset"], str(row["k"])): row for row in paper}
    found = {(dataset, str(row)) for dataset, row in zip(runs.dataset, runs.row)}
    order = [*published, *sorted(found - published.keys())]
    for dataset, k in order:
        row = published.get((dataset, k), {})
        some = runs[(runs.dataset == dataset) & (runs.row == k)]
        whole, less = some[some.reduced == ""], some[some.reduced != ""]
        accuracy = row.get("test_accuracy_pct")
        lines[dataset, "progressive" if k == "ours" else f"K = {k}"] = {
            "paper: test accuracy (%)": spread(**accuracy) if accuracy else ABSENT,
            "ours: test accuracy (%)": measured(whole.test_acc_pct.astype(float)),
            "difference": against(whole.test_acc_pct.astype(float), accuracy),
            "rank": rank(whole.test_acc_pct.astype(float), dataset, "test"),
            "reduced run: test accuracy (%)": measured(less.test_acc_pct.astype(float)),
            "reduced run: rank": rank(less.test_acc_pct.astype(float), dataset, "test"),
            "n": str(len(some)) if len(some) else "",
            "paper: GPU memory (MB)": str(row.get("gpu_memory_mb", ABSENT)),
            "ours: memory": memory(some),
            "search": seconds(some),
            "note": " | ".join(dict.fromkeys(less.reduced)) if len(some) else notes.get(dataset, "not run"),
        }
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["data set", ""])
    return table
