"""Tables 2, 3 and 6: the paper's rows beside what was counted and measured here. Files in, DataFrames out; no torch."""

import json
from dataclasses import dataclass

import pandas as pd

from drnas_lib.collection.views import tables
from drnas_lib.config.cells import published
from drnas_lib.runs import integrity
from drnas_lib.runs.records import PROJECT, RunFolder, existing, read_json, resolve

COSTS = "results/darts_space/costs.csv"
RUNS = "results/retrain"
PAPER = PROJECT / "params" / "paper"
MOBILE_LIMIT_M = 600  # multiply-adds, of ImageNet's mobile setting
SPACES = ("S1", "S2", "S3", "S4")


@dataclass(frozen=True)
class Columns:
    """What a table measures: on which data set, in which macro network, and the key of the paper's error."""

    number: int
    dataset: str
    network: str
    error: str


TABLE2 = Columns(2, "cifar10", "cifar", "test_error_pct")
TABLE3 = Columns(3, "imagenet", "imagenet", "top1_error_pct")
OF_DATASET = {table.dataset: table for table in (TABLE2, TABLE3)}


def paper(number: int) -> dict:
    """A published table as its file in params/paper has it."""
    return read_json(PAPER / f"table{number}.json")


def paper_row(paper_rows: dict[str, str], dataset: str) -> dict | None:
    """The paper's row of a cell on a data set, None where it has none."""
    columns = OF_DATASET.get(dataset)
    name = columns and paper_rows.get(f"table{columns.number}")
    return next((row for row in paper(columns.number)["rows"] if row["architecture"] == name), None) if name else None


def costs() -> pd.DataFrame:
    """Columns cell, network, parameters, macs. Made by `python -m drnas_lib.collection.studies.darts_costs`."""
    return pd.read_csv(resolve(COSTS))


def runs(results: str = RUNS) -> pd.DataFrame:
    """A row for every finished training: cell, data set, seed, whether at full length, errors, size, hours, device.

    Raises RecordError for a folder that is not there.
    """
    rows = []
    for done in sorted(existing(results).glob("*/seed*/done.json")):
        record = integrity.record(RunFolder(done.parent))
        parameters, found = record["parameters"], record["metrics"]
        key = f"{parameters['dataset']}_test_error_pct"
        rows.append(
            {
                "cell": parameters["cell"],
                "dataset": parameters["dataset"],
                "space": parameters.get("space", ""),
                "method": parameters.get("method", ""),
                "recipe": parameters["recipe_name"],
                "protocol": record["protocol"],
                "seed": parameters["seed"],
                "full": not record["reduced"] and not record["changed"],
                "test error, last (%)": found[f"{key}_last"],
                "test error, best (%)": found[f"{key}_best"],
                "parameters (M)": record["network"]["parameters"] / 1e6,
                "multiply-adds (M)": record["network"]["macs"] / 1e6,
                "hours": found["train_s"] / 3600,
                "device": record["device"],
                "data": record["data"]["fingerprint"][:12],
                "reduced": "; ".join([*record["reduced"], *record["changed"]]),
            }
        )
    return pd.DataFrame(rows, columns=RUN_COLUMNS)


RUN_COLUMNS = [
    "cell", "dataset", "space", "method", "recipe", "protocol", "seed", "full", "test error, last (%)", "test error, best (%)",
    "parameters (M)", "multiply-adds (M)", "hours", "device", "data", "reduced",
]  # fmt: skip


def table2(results: str = RUNS) -> pd.DataFrame:
    """CIFAR-10: every row of the paper, and ours for each cell that is published."""
    return _table(TABLE2, results)


def table3(results: str = RUNS) -> pd.DataFrame:
    """ImageNet, mobile setting, likewise."""
    return _table(TABLE3, results)


def _table(columns: Columns, results: str) -> pd.DataFrame:
    of_network = costs().query("network == @columns.network").set_index("cell")
    full = runs(results).query("dataset == @columns.dataset and full")
    cells = [cell for cell in published().values() if f"table{columns.number}" in cell.paper_rows]
    rows = []
    for row in paper(columns.number)["rows"]:
        known = [cell.name for cell in cells if cell.paper_rows[f"table{columns.number}"] == row["architecture"]]
        for cell in known or [None]:
            counted = of_network.loc[cell] if cell else None
            rows.append(
                {"architecture": row["architecture"]}
                | _paper_errors(row, columns)
                | {"paper: params (M)": row["params_m"], "cell": cell or "not published"}
                | {"ours: params (M)": counted.parameters / 1e6 if cell else None}
                | {"ours: multiply-adds (M)": counted.macs / 1e6 if cell else None}
                | {"ours: test error, last (%)": mean_and_spread(full[full.cell == cell]["test error, last (%)"])}
                | {"search cost (GPU days)": row["search_cost_gpu_days"], "search": row["search_method"]}
            )
    return pd.DataFrame(rows)


def _paper_errors(row: dict, columns: Columns) -> dict:
    error = row[columns.error]
    if columns is TABLE3:
        return {"paper: top-1 error (%)": error, "paper: top-5 error (%)": row["top5_error_pct"]}
    spread = "" if error["std"] is None else f" ± {error['std']:.2f}"
    return {"paper: test error (%)": f"{error['mean']:.2f}{spread}"}


def mean_and_spread(values: pd.Series) -> str:
    """'2.50 ± 0.05 (n=4)', '2.50 (n=1)' or 'not run'."""
    if values.empty:
        return "not run"
    spread = f" ± {values.std():.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f}{spread} (n={len(values)})"


def shown(table: pd.DataFrame):
    """A table as a notebook shows it."""
    digits = {column: "{:.3f}" for column in table if "param" in column} | {column: "{:.0f}" for column in table if "multiply" in column}
    digits |= {"paper: params (M)": "{:.1f}", "paper: top-1 error (%)": "{:.1f}", "paper: top-5 error (%)": "{:.1f}"}
    digits |= {"value": "{:.2f}", "paper: DrNAS": "{:.4f}", "search cost (GPU days)": "{:g}", "hours": "{:.2f}"}
    digits |= {c: "{:.2f}" for c in table if c.startswith("test error")}
    style = tables.shown(table, {c: d for c, d in digits.items() if c in table})
    if "reduced" in table and len(table):  # names of found cells and reasons are long
        style = style.set_properties(subset=["cell", "reduced"], **{"min-width": "14em", "overflow-wrap": "anywhere"})
    return style


def size_differences() -> pd.DataFrame:
    """Every published cell whose counted size is another at the printed precision, and why."""
    reasons = json.loads((PAPER / "size_reasons.json").read_text())
    rows = []
    for columns, table in ((TABLE2, table2()), (TABLE3, table3())):
        for row in table[table.cell != "not published"].to_dict("records"):
            printed, counted = row["paper: params (M)"], row["ours: params (M)"]
            if f"{printed:.1f}" != f"{counted:.1f}":
                why = reasons[f"table{columns.number}"].get(row["cell"], "unexplained")
                sizes = {"paper: params (M)": printed, "ours: params (M)": counted}
                rows.append({"table": columns.number, "cell": row["cell"], **sizes, "why": why})
    return pd.DataFrame(rows)


def size_sentence() -> str:
    """How many counted sizes agree, and which ImageNet cells pass the mobile limit."""
    known = [table[table.cell != "not published"] for table in (table2(), table3())]
    agree = sum(map(len, known)) - len(size_differences())
    mobile = known[1].drop_duplicates("cell")
    over = mobile[mobile["ours: multiply-adds (M)"] > MOBILE_LIMIT_M]
    names = ", ".join(f"{row.cell} {row['ours: multiply-adds (M)']:.0f} M" for _, row in over.iterrows())
    return (
        f"**{agree} of {sum(map(len, known))} counted sizes are the printed ones; the others are listed with the reason. "
        f"{len(mobile) - len(over)} of {len(mobile)} ImageNet cells stay under the mobile limit of {MOBILE_LIMIT_M} M multiply-adds; "
        f"over it are {names}.**"
    )


def error_sentence(columns: Columns, results: str = RUNS) -> str:
    """What was measured here at full length."""
    table = _table(columns, results)
    measured = table[table["ours: test error, last (%)"] != "not run"]
    if measured.empty:
        return f"**No cell has been trained here at full length on {columns.dataset}: the column of our errors is empty.**"
    return "**" + "; ".join(f"{row.cell}: {row['ours: test error, last (%)']} %" for _, row in measured.iterrows()) + "**"


def reduced_runs(results: str = RUNS) -> pd.DataFrame:
    """Trainings that are shorter or smaller than the recipe, or differ from it: not to be compared with the paper."""
    found = runs(results)
    return found[~found.full.astype(bool)].drop(columns=["full"])


def reduced_on_robust_spaces(results: str = RUNS) -> pd.DataFrame:
    """Those of them whose cell a search on S1 to S4 found."""
    found = reduced_runs(results)
    return found[found.space.isin([space.lower() for space in SPACES])]


def table6(results: str = RUNS) -> pd.DataFrame:
    """S1 to S4: the paper's test errors, `?` where our copy of the paper is not legible; ours for searches with that method."""
    full = runs(results).query("dataset == 'cifar10' and full")
    rows = []
    for row in paper(6)["rows"]:
        unsure = row.get("uncertain", {})
        rows.append({"method": row["method"], "": "paper"} | {s: f"{row[s]:.2f}{' ?' if s in unsure else ''}" for s in SPACES})
        found = full[full.method == row["method"]].set_index("space")["test error, last (%)"]
        rows.append({"method": row["method"], "": "ours"} | {s: mean_and_spread(found[found.index == s.lower()]) for s in SPACES})
    return pd.DataFrame(rows)


def uncertain() -> pd.DataFrame:
    """The values of Table 6 that our copy of the paper does not show clearly."""
    return pd.DataFrame(
        [{"method": row["method"], "space": space, "value": row[space], "why": why} for row in paper(6)["rows"] for space, why in
         row.get("uncertain", {}).items()]
    )  # fmt: skip


def eigenvalues() -> pd.DataFrame:
    """The dominant Hessian eigenvalue at the end of a DrNAS search, as the paper's appendix A.4 prints it."""
    printed = read_json(PAPER / "text.json")["dominant_eigenvalue_drnas"]
    return pd.DataFrame([{"space": space, "paper: DrNAS": value, "ours": "not run"} for space, value in printed.items()])
