"""Counted sizes of the published cells of Tables 2 and 3, and the finished trainings. Files in, DataFrames out; no torch."""

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.collection.views import tables
from drnas_lib.collection.views.published import PAPER, paper_table
from drnas_lib.config.cells import published
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, read_json, resolve

COSTS = "results/darts_space/costs.csv"
RUNS = "results/retrain"
MOBILE_LIMIT_M = 600  # multiply-adds, of ImageNet's mobile setting
SPACES = ("S1", "S2", "S3", "S4")
LAST, BEST = "test error, last (%)", "test error, best (%)"
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
    "paper: params": "{:.1f}", "ours: params": "{:.3f}", "parameters": "{:.3f}", "ours: multiply": "{:.0f}", "multiply": "{:.0f}",
    "test error": "{:.2f}", "hours": "{:.2f}",
}  # fmt: skip


OF_TABLE = {2: ("cifar10", "cifar"), 3: ("imagenet", "imagenet")}  # number -> its data set, and the macro network whose size it has


def paper_row(paper_rows: dict[str, str], dataset: str) -> dict | None:
    """The paper's row of a cell on a data set, None where it has none."""
    rows = [(number, row) for number, (of, _) in OF_TABLE.items() if of == dataset for row in paper_table(number)["rows"]]
    return next((row for number, row in rows if row["architecture"] == paper_rows.get(f"table{number}")), None)


def paper_error(row: dict) -> float:
    """The top-1 test error in per cent of a row of Table 2 or 3."""
    return row["test_error_pct"]["mean"] if "test_error_pct" in row else row["top1_error_pct"]


def costs() -> pd.DataFrame:
    """Columns cell, network, parameters, macs. Made by `python -m drnas_lib.collection.studies.darts_costs`."""
    return pd.read_csv(resolve(COSTS))


def runs(results: str = RUNS) -> pd.DataFrame:
    """A row for every finished training, columns as RUN_COLUMNS; `reduced` is empty for one at full length."""
    records = [integrity.record(RunFolder(done.parent)) for done in sorted(resolve(results).glob("*/seed*/done.json"))]
    for record in records:
        error = f"{record['parameters']['dataset']}_test_error_pct"
        record |= {which: record["metrics"][f"{error}_{which}"] for which in ("last", "best")}
        record["less"] = "; ".join([*record["reduced"], *record["changed"]])
    found = pd.json_normalize(records).reindex(columns=RUN_COLUMNS.values()).set_axis(list(RUN_COLUMNS), axis="columns")
    found = found.astype(dict.fromkeys(("space", "method", "data"), object))  # text, also without any row
    sizes = {column: found[column] / 1e6 for column in ("parameters (M)", "multiply-adds (M)")}
    return found.assign(**sizes, hours=found.hours / 3600, data=found.data.str[:12]).fillna({"space": "", "method": ""})


def shown(table: pd.DataFrame) -> Styler | Markdown:
    """A table as a notebook shows it."""
    style = tables.shown(table, {column: form for column in table for start, form in FORMATS.items() if column.startswith(start)})
    if isinstance(style, Styler) and "reduced" in table:  # names of found cells and reasons are long
        style.set_properties(subset=["cell", "reduced"], **{"min-width": "14em", "overflow-wrap": "anywhere"})
    return style


def sizes() -> pd.DataFrame:
    """A row for each published cell in Tables 2 and 3: the printed size, and the counted one with its multiply-adds."""
    rows, counted = [], costs().set_index(["cell", "network"]) / 1e6
    for number, (_, network) in OF_TABLE.items():
        printed = {row["architecture"]: row["params_m"] for row in paper_table(number)["rows"]}
        for cell in published().values():
            if name := cell.paper_rows.get(f"table{number}"):
                ours = counted.loc[(cell.name, network)]
                beside = {"paper: params (M)": printed[name], "ours: params (M)": ours.parameters, "ours: multiply-adds (M)": ours.macs}
                rows.append({"table": number, "architecture": name, "cell": cell.name} | beside)
    return pd.DataFrame(rows)


def size_differences() -> pd.DataFrame:
    """Every published cell whose counted size differs at the printed precision, and why."""
    counted, reasons = sizes(), read_json(PAPER / "size_reasons.json")
    differs = counted["paper: params (M)"].map("{:.1f}".format) != counted["ours: params (M)"].map("{:.1f}".format)
    rows = counted[differs].drop(columns=["architecture", "ours: multiply-adds (M)"])
    return rows.assign(why=[reasons[f"table{number}"].get(cell, "unexplained") for number, cell in zip(rows.table, rows.cell)])


def size_sentence() -> str:
    """How many counted sizes agree, and which ImageNet cells pass the mobile limit."""
    counted = sizes()
    mobile = counted[counted.table == 3].drop_duplicates("cell").set_index("cell")["ours: multiply-adds (M)"]
    over = mobile[mobile > MOBILE_LIMIT_M]
    return (
        f"**{len(counted) - len(size_differences())} of {len(counted)} counted sizes are the printed ones; the others are listed with the "
        f"reason. {len(mobile) - len(over)} of {len(mobile)} ImageNet cells stay under the mobile limit of {MOBILE_LIMIT_M} M "
        f"multiply-adds; over it are {', '.join(f'{cell} {macs:.0f} M' for cell, macs in over.items())}.**"
    )


def reduced_runs(results: str = RUNS, spaces: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Trainings that are shorter or smaller than the recipe, or differ from it: not to be compared with the paper.

    `spaces`: only those of cells that searches on these spaces found.
    """
    found = runs(results).query("reduced != ''")
    return found if spaces is None else found[found.space.str.upper().isin(spaces)]
