"""A finished search, read back from its files: the tables, figures and sentences of the search notebook. No torch."""

import math
from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.benchmark.table import Benchmark, Standing
from drnas_lib.collection.views import plots
from drnas_lib.collection.views.cell_plots import draw_cell
from drnas_lib.collection.views.run_report import RunReport, read_run
from drnas_lib.genotype import Nb201Genotype, genotype_from_json
from drnas_lib.runs import integrity
from drnas_lib.runs.files import read_json
from drnas_lib.search.trained_cells import TrainedCells

DIRICHLET = ("drnas",)  # methods whose eta is a concentration


@dataclass(frozen=True)
class SearchReport(RunReport):
    """`eta` has a row per epoch, edge and operation."""

    eta: pd.DataFrame

    @classmethod
    def read(cls, folder: str) -> "SearchReport":
        """Raises RecordError where the run is unfinished or a file is damaged."""
        run, record, history = read_run(folder, "search")
        genotype = genotype_from_json(read_json(integrity.checked(run.file("genotype.json"), record)))
        return cls(record, history, genotype, integrity.table(run.file("eta.csv"), record))

    def summary(self) -> Styler:
        """What was searched on which data, in a column."""
        record = self.record
        stages = (
            f"{stage['operations_kept']} operations at K={stage['k']}: {stage['activation_mb']:.1f} MB of activations"
            + (f", {stage['gpu_peak_memory_mb']:.0f} MB GPU peak" if stage["gpu_peak_memory_mb"] else "")
            for stage in record["stages"]
        )
        facts = {
            "cell": record["genotype"],
            "protocol": record["protocol"],
            "reduced against the protocol": "; ".join(record["reduced"]) or "no",
            "stages": "; ".join(stages),
            "search time": self.duration(record["metrics"]["search_s"]),
        }
        return self.listing(facts)

    def trajectory(self) -> Figure:
        return plots.trajectory(self.history)

    def trajectory_sentence(self) -> Markdown:
        first, last = self.history.iloc[0], self.history.iloc[-1]
        gap = last.train_acc_pct - last.valid_acc_pct
        side = "lower" if gap > 0 else "higher"
        validation = f"In the last epoch it was {last.valid_acc_pct:.1f} % on validation batches, {abs(gap):.1f} points {side}."
        if math.isnan(gap):  # a method that computes no validation batch while it trains
            validation = "No validation batch moves η here."
        return Markdown(
            f"The accuracy on training batches went from {first.train_acc_pct:.1f} to {last.train_acc_pct:.1f} % in {len(self.history)} "
            f"epochs. {validation} These are averages over batches of the supernet, not the accuracy of a cell."
        )

    def concentrations(self) -> Figure:
        return plots.concentrations(self.eta)

    def concentration_sentence(self) -> Markdown:
        last = self.history.iloc[-1]
        changed = self.history.epoch[self.history.genotype != self.history.genotype.shift()]
        dirichlet = self.record["parameters"]["method"] in DIRICHLET
        caution = "" if dirichlet else " This method does not use η as a concentration, so β only pictures η here."
        return Markdown(
            f"β now spans {last.beta_min:.2f} to {last.beta_max:.2f} (1 everywhere at the start).{caution} "
            f"The mean mixture of an edge has an entropy of {last.mean_entropy_nats:.3f} nats, where {math.log(last.operations_kept):.3f} "
            f"would be flat over the {last.operations_kept} operations kept; the derived cell last changed in epoch {changed.iloc[-1]}."
        )

    def cell(self) -> Figure:
        settings = f"{self.record['protocol']} protocol, seed {self.record['parameters']['seed']}"
        return draw_cell(self.genotype, f"cell found on {self.dataset}, {settings}")

    def accuracy(self) -> Figure | Markdown:
        """Figure of the accuracy of the cell, from the benchmark or from trainings, or the reason why it is unknown."""
        return _ACCURACY[self.record["evaluation"]["kind"]](self)

    def conclusion(self) -> Markdown:
        """The accuracy of the cell in a sentence or two."""
        return Markdown(_CONCLUSION[self.record["evaluation"]["kind"]](self))

    @property
    def trained_cells(self) -> TrainedCells:
        return TrainedCells.of(self.record["evaluation"], self.dataset)


def _table_accuracy(report: SearchReport) -> Figure | Markdown:
    table, missing = Benchmark.load_if_available()
    if table is None:
        return Markdown(f"The accuracy of the cell is unknown here: {missing}")
    accuracies = [table.accuracy(Nb201Genotype.parse(text), report.dataset, "test") for text in report.history.genotype]
    accuracy = pd.DataFrame({"epoch": report.history.epoch, "test_acc_pct": accuracies})
    return plots.accuracy_by_epoch(accuracy, table.optimum(report.dataset, "test")[1], report.dataset)


def _table_conclusion(report: SearchReport) -> str:
    found, key = report.record["evaluation"], f"{report.dataset}_test"
    if "unknown" in found:
        return f"**The search found {report.genotype}; its accuracy is unknown:** {found['unknown']}"
    standing, (table, _) = Standing.from_record(found, key), Benchmark.load_if_available()
    if standing is None and table is not None:  # records of before ranks were kept
        standing = table.standing(found[f"{key}_acc_pct"], report.dataset, "test")
    reached = standing or f"{found[f'{key}_acc_pct']:.2f} %; the best cell has {found[f'optimum_{key}_acc_pct']:.2f} %"
    said = f"In the benchmark (200 epochs, mean of its seeds) the test accuracy of the cell on {report.dataset} is {reached}."
    return f"**{said}**{report.caution}"


_ACCURACY = {
    "table": _table_accuracy,
    "train": lambda report: plots.trained_cells(report.trained_cells),
    "none": lambda report: Markdown("The cell was not judged (`evaluate` is none)."),
}
_CONCLUSION = {
    "table": _table_conclusion,
    "train": lambda report: report.trained_cells.sentence(report.dataset) + report.caution,
    "none": lambda report: f"**The search found `{report.genotype}`; its accuracy was not measured (`evaluate` is none).**",
}
