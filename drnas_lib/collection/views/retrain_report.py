"""A finished training, read back from its files: the tables, figures and sentences of the retrain notebook. No torch."""

from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.collection.views.cell_plots import draw_cell
from drnas_lib.collection.views.darts_tables import paper_error, paper_row
from drnas_lib.collection.views.plots import training_curves
from drnas_lib.collection.views.run_report import RunReport, read_run
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.genotype import genotype_from_json


@dataclass(frozen=True)
class RetrainReport(RunReport):
    """The training of one cell, beside the paper's row of that cell where it has one."""

    @classmethod
    def read(cls, folder: str) -> "RetrainReport":
        """Raises RecordError where the run is unfinished or a file is damaged."""
        _, record, history = read_run(folder, "training")
        return cls(record, history, genotype_from_json(record["parameters"]["cell_json"]))

    @property
    def paper(self) -> dict | None:
        """The paper's row of this cell on these data."""
        return paper_row(self.record["parameters"]["paper_rows"], self.dataset)

    @property
    def paper_error(self) -> float | None:
        """The paper's top-1 test error in per cent."""
        return None if self.paper is None else paper_error(self.paper)

    def summary(self) -> Styler:
        """What was trained on which data, in a column."""
        record, parameters, network = self.record, self.record["parameters"], self.record["network"]
        facts = {
            "cell": f"{parameters['cell']} ({parameters['cell_source']})",
            "recipe": f"{parameters['recipe_name']}, {record['protocol']} protocol",
            "reduced against the recipe": "; ".join(record["reduced"]) or "no",
            "changed against the recipe": "; ".join(record["changed"]) or "no",
            "network": f"{network['parameters'] / 1e6:.3f} M parameters without auxiliary head, "
            f"{network['macs'] / 1e6:.1f} M multiply-adds",
            "training time": self.duration(record["metrics"]["train_s"]),
        }
        return self.listing(facts)

    def curves(self) -> Figure:
        return training_curves(self.history, self.dataset, self.paper_error)

    def curves_sentence(self) -> Markdown:
        last, found = self.history.iloc[-1], self.record["metrics"]
        gap = last.train_acc_pct - last.test_acc_pct
        dropped = " and pass through dropped paths" if self.history.drop_path.any() else ""
        return Markdown(
            f"Test error is {self._error('last'):.2f} % after the last epoch, {abs(gap):.2f} points {'above' if gap > 0 else 'below'} "
            f"that of the training batches, which are augmented{dropped}. The lowest of all epochs is {self._error('best'):.2f} % "
            f"(epoch {found['best_epoch']}): chosen on the test set, so no fair estimate."
        )

    def cell(self, kind: str = "normal") -> Figure:
        """The cell `kind`, 'normal' or 'reduce'; a NAS-Bench-201 cell has one kind."""
        return draw_cell(self.genotype, self.record["parameters"]["cell"], kind)

    def comparison(self) -> pd.DataFrame:
        """Size and error, the paper's beside ours; ours of a reduced run under a heading of their own."""
        network, paper = self.record["network"], self.paper or {}
        top5 = self.record["metrics"][f"{self.dataset}_test_top5_error_pct_last"]
        paper_error = f"{self.paper_error:g} (which epoch is not said)" if paper else ABSENT
        rows = {
            "parameters (M)": (f"{paper['params_m']:.1f}" if paper else ABSENT, f"{network['parameters'] / 1e6:.3f}"),
            "multiply-adds (M)": (ABSENT, f"{network['macs'] / 1e6:.1f}"),
            "test error, last epoch (%)": (paper_error, f"{self._error('last'):.2f}"),
            "test error, best epoch (%)": (ABSENT, f"{self._error('best'):.2f}"),
            "top-5 test error, last epoch (%)": (f"{paper['top5_error_pct']:g}" if "top5_error_pct" in paper else ABSENT, f"{top5:.2f}"),
        }
        heading = "ours, reduced: not comparable" if self.reasons else "ours"
        return pd.DataFrame.from_dict(rows, orient="index", columns=["paper", heading])

    def conclusion(self) -> Markdown:
        """One sentence: our error beside the paper's, and whether they can be compared."""
        paper = "the paper has no number for it" if self.paper is None else f"the paper has {self.paper_error:g} %"
        cell, ours = self.record["parameters"]["cell"], f"{self._error('last'):.2f} % test error on {self.dataset} (last epoch, one seed)"
        return Markdown(f"**{cell} ends at {ours}; {paper}.**{self.caution}")

    def _error(self, which: str) -> float:
        """Top-1 test error in per cent of the 'last' or 'best' epoch."""
        return self.record["metrics"][f"{self.dataset}_test_error_pct_{which}"]
