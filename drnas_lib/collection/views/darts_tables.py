"""Tables 2, 3 and 6: the paper's rows beside what was counted and measured here. Files in, DataFrames out; no torch."""

from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.collection.views import tables
from drnas_lib.config.cells import published
from drnas_lib.runs import integrity
from drnas_lib.runs.records import PROJECT, RunFolder, existing, read_json, resolve

COSTS = "results/darts_space/costs.csv"
RUNS = "results/retrain"
PAPER = PROJECT / "params" / "paper"
MOBILE_LIMIT_M = 600  # multiply-adds, of ImageNet's mobile setting
SPACES = ("S1", "S2", "S3", "S4")
LAST, BEST = "test error, last (%)", "test error, best (%)"
OUR_LAST = f"ours: {LAST}"
RUN_COLUMNS = {  # column -> where record.json has its value
    "cell": "parameters.cell",
    "dataset": "parameters.dataset",
    "space": "parameters.space",
    "method": "parameters.method",
    "recipe": "parameters.recipe_name",
    "protocol": "protocol",
    "seed": "parameters.seed",
    LAST: "last",
    BEST: "best",
    "parameters (M)": "network.parameters",
    "multiply-adds (M)": "network.macs",
    "hours": "metrics.train_s",
    "device": "device",
    "data": "data.fingerprint",
    "reduced": "less",
}
FORMATS = {  # of columns by how their names start
    "paper: params": "{:.1f}", "paper: top-": "{:.1f}", "paper: DrNAS": "{:.4f}", "ours: params": "{:.3f}", "parameters": "{:.3f}",
    "ours: multiply": "{:.0f}", "multiply": "{:.0f}", "test error": "{:.2f}", "value": "{:.2f}", "hours": "{:.2f}", "search cost": "{:g}",
}  # fmt: skip


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper: its number, the data set, and the macro network whose size it has."""

    number: int
    dataset: str
    network: str


TABLE2 = PaperTable(2, "cifar10", "cifar")
TABLE3 = PaperTable(3, "imagenet", "imagenet")


def paper(number: int) -> dict:
    """A published table as its file in params/paper has it."""
    return read_json(PAPER / f"table{number}.json")


def paper_row(paper_rows: dict[str, str], dataset: str) -> dict | None:
    """The paper's row of a cell on a data set, None where it has none."""
    rows = [(table, row) for table in (TABLE2, TABLE3) if table.dataset == dataset for row in paper(table.number)["rows"]]
    return next((row for table, row in rows if row["architecture"] == paper_rows.get(f"table{table.number}")), None)


def paper_error(row: dict) -> float:
    """The top-1 test error in per cent of a row of Table 2 or 3."""
    return row["test_error_pct"]["mean"] if "test_error_pct" in row else row["top1_error_pct"]


def costs() -> pd.DataFrame:
    """Columns cell, network, parameters, macs. Made by `python -m drnas_lib.collection.studies.darts_costs`."""
    return pd.read_csv(resolve(COSTS))


def runs(results: str = RUNS) -> pd.DataFrame:
    """A row for every finished training, columns as RUN_COLUMNS; `reduced` is empty for one at full length.

    Raises RecordError for a folder that is not there.
    """
    records = [integrity.record(RunFolder(done.parent)) for done in sorted(existing(results).glob("*/seed*/done.json"))]
    for record in records:
        error = f"{record['parameters']['dataset']}_test_error_pct"
        record |= {which: record["metrics"][f"{error}_{which}"] for which in ("last", "best")}
        record["less"] = "; ".join([*record["reduced"], *record["changed"]])
    found = pd.json_normalize(records).reindex(columns=RUN_COLUMNS.values()).set_axis(list(RUN_COLUMNS), axis="columns")
    found = found.astype(dict.fromkeys(("space", "method", "data"), object))  # text, also without any row
    sizes = {column: found[column] / 1e6 for column in ("parameters (M)", "multiply-adds (M)")}
    return found.assign(**sizes, hours=found.hours / 3600, data=found.data.str[:12]).fillna({"space": "", "method": ""})


def mean_and_spread(values: pd.Series) -> str:
    """'2.50 ± 0.05 (n=4)', '2.50 (n=1)' or 'not run'."""
    return f"{tables.measured(values)} (n={len(values)})" if len(values) else "not run"


def beside_paper(table: PaperTable, results: str = RUNS) -> pd.DataFrame:
    """Table 2 or 3: every row of the paper, and what was counted and measured at full length for each cell that is published."""
    counted = costs().query("network == @table.network").set_index("cell")[["parameters", "macs"]] / 1e6
    full = runs(results).query("dataset == @table.dataset and reduced == ''")
    rows = []
    for row in paper(table.number)["rows"]:
        errors = {"paper: top-1 error (%)": paper_error(row), "paper: top-5 error (%)": row.get("top5_error_pct")}
        errors = errors if table is TABLE3 else {"paper: test error (%)": tables.spread(**row["test_error_pct"])}
        cells = [cell.name for cell in published().values() if cell.paper_rows.get(f"table{table.number}") == row["architecture"]]
        for cell in cells or ["not published"]:
            size = counted.reindex([cell]).iloc[0]
            ours = {"ours: params (M)": size.parameters, "ours: multiply-adds (M)": size.macs}
            ours[OUR_LAST] = mean_and_spread(full[full.cell == cell][LAST])
            cost = {"search cost (GPU days)": row["search_cost_gpu_days"], "search": row["search_method"]}
            paper_size = {"paper: params (M)": row["params_m"], "cell": cell}
            rows.append({"architecture": row["architecture"]} | errors | paper_size | ours | cost)
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame) -> Styler | Markdown:
    """A table as a notebook shows it."""
    style = tables.shown(table, {column: form for column in table for start, form in FORMATS.items() if column.startswith(start)})
    if isinstance(style, Styler) and "reduced" in table:  # names of found cells and reasons are long
        style.set_properties(subset=["cell", "reduced"], **{"min-width": "14em", "overflow-wrap": "anywhere"})
    return style


def _counted() -> pd.DataFrame:
    """The rows of Tables 2 and 3 whose cells are published, with the number of the table."""
    both = pd.concat([beside_paper(table).assign(table=table.number) for table in (TABLE2, TABLE3)], ignore_index=True)
    return both[both.cell != "not published"]


def size_differences() -> pd.DataFrame:
    """Every published cell whose counted size differs at the printed precision, and why."""
    sizes, reasons = ["paper: params (M)", "ours: params (M)"], read_json(PAPER / "size_reasons.json")
    counted = _counted()
    differs = counted[sizes[0]].map("{:.1f}".format) != counted[sizes[1]].map("{:.1f}".format)
    rows = counted.loc[differs, ["table", "cell", *sizes]]
    return rows.assign(why=[reasons[f"table{number}"].get(cell, "unexplained") for number, cell in zip(rows.table, rows.cell)])


def size_sentence() -> str:
    """How many counted sizes agree, and which ImageNet cells pass the mobile limit."""
    counted = _counted()
    mobile = counted[counted.table == TABLE3.number].drop_duplicates("cell").set_index("cell")["ours: multiply-adds (M)"]
    over = mobile[mobile > MOBILE_LIMIT_M]
    return (
        f"**{len(counted) - len(size_differences())} of {len(counted)} counted sizes are the printed ones; the others are listed with the "
        f"reason. {len(mobile) - len(over)} of {len(mobile)} ImageNet cells stay under the mobile limit of {MOBILE_LIMIT_M} M "
        f"multiply-adds; over it are {', '.join(f'{cell} {macs:.0f} M' for cell, macs in over.items())}.**"
    )


def error_sentence(table: PaperTable, results: str = RUNS) -> str:
    """What was measured here at full length."""
    rows = beside_paper(table, results).query(f"`{OUR_LAST}` != 'not run'")
    if rows.empty:
        return f"**No cell has been trained here at full length on {table.dataset}: the column of our errors is empty.**"
    return "**" + "; ".join(f"{cell}: {error} %" for cell, error in zip(rows.cell, rows[OUR_LAST])) + "**"


def reduced_runs(results: str = RUNS, spaces: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Trainings that are shorter or smaller than the recipe, or differ from it: not to be compared with the paper.

    `spaces`: only those of cells that searches on these spaces found.
    """
    found = runs(results).query("reduced != ''")
    return found if spaces is None else found[found.space.str.upper().isin(spaces)]


def table6(results: str = RUNS) -> pd.DataFrame:
    """S1 to S4: the paper's test errors, `?` where our copy of the paper is not legible; ours for searches with that method."""
    full = runs(results).query("dataset == 'cifar10' and reduced == ''")
    rows = []
    for row in paper(6)["rows"]:
        unsure, found = row.get("uncertain", {}), full[full.method == row["method"]]
        rows.append({"method": row["method"], "": "paper"} | {s: f"{row[s]:.2f}{' ?' if s in unsure else ''}" for s in SPACES})
        rows.append({"method": row["method"], "": "ours"} | {s: mean_and_spread(found[found.space == s.lower()][LAST]) for s in SPACES})
    return pd.DataFrame(rows)


def uncertain() -> pd.DataFrame:
    """The values of Table 6 that our copy of the paper does not show clearly."""
    return pd.DataFrame(
        {"method": row["method"], "space": space, "value": row[space], "why": why}
        for row in paper(6)["rows"]
        for space, why in row.get("uncertain", {}).items()
    )


def eigenvalues() -> pd.DataFrame:
    """The dominant Hessian eigenvalue at the end of a DrNAS search, as the paper's appendix A.4 prints it."""
    printed = read_json(PAPER / "text.json")["dominant_eigenvalue_drnas"]
    return pd.DataFrame({"space": list(printed), "paper: DrNAS": list(printed.values()), "ours": "not run"})
