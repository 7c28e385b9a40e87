"""A finished search, read back from its files: the tables, figures and sentences of the search notebook. No torch."""

import math
from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.benchmark.table import Benchmark, Standing
from drnas_lib.collection.views import cell_plots, plots, tables
from drnas_lib.genotype import DartsGenotype, Genotype, Nb201Genotype, genotype_from_json
from drnas_lib.runs import integrity
from drnas_lib.runs.records import RunFolder, read_json
from drnas_lib.search.trained_cells import TrainedCells

NAMED = 5  # unreadable files in the summary; record.json has them all
DIRICHLET = ("drnas",)  # methods whose eta is a concentration


@dataclass(frozen=True)
class SearchReport:
    """`history` has a row per epoch, `eta` a row per epoch, edge and operation; `record` is record.json."""

    record: dict
    history: pd.DataFrame
    eta: pd.DataFrame
    genotype: Genotype

    @classmethod
    def read(cls, folder: str) -> "SearchReport":
        """Raises RecordError where the run is unfinished or a file is damaged."""
        run = RunFolder(folder)
        run.must_be_done("search")
        record = integrity.record(run)
        history, eta = (integrity.table(run.file(name), record) for name in ("history.csv", "eta.csv"))
        genotype = read_json(integrity.checked(run.file("genotype.json"), record))
        return cls(record, history, eta, genotype_from_json(genotype))

    @property
    def dataset(self) -> str:
        return self.record["data"]["name"]

    def summary(self) -> Styler:
        """What was run on what, in a column."""
        record, environment, data = self.record, self.record["environment"], self.record["data"]
        stages = "; ".join(
            f"{s['operations_kept']} operations at K={s['k']}: {s['activation_mb']:.1f} MB of activations"
            + (f", {s['gpu_peak_memory_mb']:.0f} MB GPU peak" if s["gpu_peak_memory_mb"] else "")
            for s in record["stages"]
        )
        rows = {
            "cell": record["genotype"],
            "protocol": record["protocol"],
            "reduced against the protocol": "; ".join(record["reduced"]) or "no",
            "seed": record["parameters"]["seed"],
            "data": f"{self.dataset}, fingerprint {data['fingerprint'][:16]}. {data['source']}",
            **({"unreadable images": _named(data["unreadable"])} if "unreadable" in data else {}),
            "stages": stages,
            "search time": f"{record['metrics']['search_s']:.0f} s, {len(self.history)} epochs, "
            f"{self.history.images_per_s.median():.0f} images/s",
            "device": f"{record['device']} ({environment['cpu']}), torch {environment['packages'].get('torch')}"
            + (f", {processes} processes" if (processes := record.get("processes", 1)) > 1 else ""),
            "commit": f"{environment['commit']}" + (" with uncommitted changes" if environment["uncommitted_changes"] else ""),
        }
        return tables.listing(rows)

    def trajectory(self) -> Figure:
        return plots.trajectory(self.history)

    def trajectory_sentence(self) -> Markdown:
        first, last = self.history.iloc[0], self.history.iloc[-1]
        gap = last.train_acc_pct - last.valid_acc_pct
        if math.isnan(gap):  # a method that looks at no validation batch while it trains
            return Markdown(
                f"Training batches went from {first.train_acc_pct:.1f} % to {last.train_acc_pct:.1f} % in {len(self.history)} epochs; "
                "no validation batch moves η here. These are batch averages of a supernet, not the accuracy of a cell."
            )
        return Markdown(
            f"Training batches went from {first.train_acc_pct:.1f} % to {last.train_acc_pct:.1f} % in {len(self.history)} epochs; "
            f"in the last, validation batches reached {last.valid_acc_pct:.1f} %, {abs(gap):.1f} points "
            f"{'below' if gap > 0 else 'above'} them. "
            "Both are batch averages of a supernet under its mixing weights, not the accuracy of a cell."
        )

    def concentrations(self) -> Figure:
        return plots.concentrations(self.eta)

    def concentration_sentence(self) -> Markdown:
        last, settled = self.history.iloc[-1], self._settled()
        flat = math.log(last.operations_kept)
        dirichlet = self.record["parameters"]["method"] in DIRICHLET
        elsewise = "" if dirichlet else " It only pictures η here, which this method reads otherwise."
        return Markdown(
            f"β now spans {last.beta_min:.2f} to {last.beta_max:.2f} (1 everywhere at the start).{elsewise} "
            f"The mean mixture of an edge has an entropy of {last.mean_entropy_nats:.3f} nats, where {flat:.3f} would be flat over the "
            f"{last.operations_kept} operations kept; "
            f"the derived cell last changed in epoch {settled}."
        )

    def _settled(self) -> int:
        changed = self.history.genotype != self.history.genotype.shift()
        return int(self.history.epoch[changed].iloc[-1])

    def cell(self) -> Figure:
        parameters = self.record["parameters"]
        title = f"cell found on {self.dataset}, {self.record['protocol']} protocol, seed {parameters['seed']}"
        return _DRAWN[type(self.genotype)](self.genotype, title)

    def accuracy(self) -> Figure | Markdown:
        """Figure of how good the cell is, by whatever way it was judged, or the reason why that is unknown."""
        return _ACCURACY[self.record["evaluation"]["kind"]](self)

    def conclusion(self) -> Markdown:
        """How good the cell is, in a sentence or two."""
        return Markdown(_CONCLUSION[self.record["evaluation"]["kind"]](self))

    def _key(self, split: str) -> str:
        return f"{self.dataset}_{split}_acc_pct"


def _named(unreadable: dict) -> str:
    more = ", ..." if unreadable["count"] > NAMED else ""
    return f"{unreadable['count']}: {', '.join(unreadable['files'][:NAMED])}{more}" if unreadable["count"] else "none"


def _table_accuracy(report: SearchReport) -> Figure | Markdown:
    table, missing = Benchmark.found()
    if table is None:
        return Markdown(f"The accuracy of the cell is unknown here: {missing}")
    cells = [Nb201Genotype.parse(text) for text in report.history.genotype]
    accuracy = pd.DataFrame(
        {"epoch": report.history.epoch, "test_acc_pct": [table.accuracy(cell, report.dataset, "test") for cell in cells]}
    )
    return plots.accuracy_by_epoch(accuracy, table.optimum(report.dataset, "test")[1], report.dataset)


def _table_conclusion(report: SearchReport) -> str:
    found, key = report.record["evaluation"], report._key("test")
    if "unknown" in found:
        return f"**The search found {report.genotype}; its accuracy is unknown:** {found['unknown']}"
    standing = _standing(report) or f"{found[key]:.2f} %; best {found[f'optimum_{key}']:.2f}"
    return (
        f"**In the benchmark (200 epochs, mean of its seeds) the cell reaches {standing}, in test accuracy on {report.dataset}.**"
        + _reduced(report)
    )


def _standing(report: SearchReport) -> Standing | None:
    """As the record has it, or the table for a record without ranks."""
    found, key = report.record["evaluation"], f"{report.dataset}_test"
    table, _ = Benchmark.found()
    looked_up = table and table.standing(found[f"{key}_acc_pct"], report.dataset, "test")
    return Standing.from_record(found, key) or looked_up


def _trained(report: SearchReport) -> TrainedCells:
    return TrainedCells.of(report.record["evaluation"], report.dataset)


def _trained_accuracy(report: SearchReport) -> Figure:
    return plots.trained_cells(_trained(report))


def _trained_conclusion(report: SearchReport) -> str:
    return _trained(report).sentence(report.dataset) + _reduced(report)


def _reduced(report: SearchReport) -> str:
    reasons = report.record["reduced"]
    return f" This was a reduced run ({'; '.join(reasons)}), not the paper's." if reasons else ""


_DRAWN = {
    Nb201Genotype: lambda genotype, title: plots.cell_graph(genotype.edges(), title),
    DartsGenotype: cell_plots.darts_cells,
}
_ACCURACY = {
    "table": _table_accuracy,
    "train": _trained_accuracy,
    "none": lambda report: Markdown("The cell was not judged (`evaluate` is none)."),
}
_CONCLUSION = {
    "table": _table_conclusion,
    "train": _trained_conclusion,
    "none": lambda report: f"**The search found `{report.genotype}`; how good it is was not asked.**",
}
