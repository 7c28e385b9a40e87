"""A finished training, read back from its files: the tables, figures and sentences of the retrain notebook. No torch."""

from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.collection.views import tables
from drnas_lib.collection.views.cell_plots import darts_cell
from drnas_lib.collection.views.darts_tables import OF_DATASET, paper_row
from drnas_lib.collection.views.plots import cell_graph
from drnas_lib.collection.views.training_plots import training_curves
from drnas_lib.genotype import DartsGenotype, Genotype, genotype_from_json
from drnas_lib.runs import integrity
from drnas_lib.runs.records import RunFolder


@dataclass(frozen=True)
class RetrainReport:
    """`history` has a row per epoch; `record` is record.json; `paper` the paper's row of this cell, None where it has none."""

    record: dict
    history: pd.DataFrame
    genotype: Genotype
    paper: dict | None

    @classmethod
    def read(cls, folder: str) -> "RetrainReport":
        """Raises RecordError where the run is unfinished or a file is damaged."""
        run = RunFolder(folder)
        run.must_be_done("training")
        record = integrity.record(run)
        history = integrity.table(run.file("history.csv"), record)
        parameters = record["parameters"]
        row = paper_row(parameters["paper_rows"], parameters["dataset"])
        return cls(record, history, genotype_from_json(parameters["cell_json"]), row)

    @property
    def dataset(self) -> str:
        return self.record["parameters"]["dataset"]

    @property
    def paper_error(self) -> float | None:
        """The paper's top-1 test error in per cent."""
        if self.paper is None:
            return None
        error = self.paper[OF_DATASET[self.dataset].error]
        return error["mean"] if isinstance(error, dict) else error

    def summary(self) -> Styler:
        """What was trained on what, in a column."""
        record, parameters, found = self.record, self.record["parameters"], self.record["metrics"]
        environment, network, data = record["environment"], record["network"], record["data"]
        broken = data["unreadable"]
        rows = {
            "cell": f"{parameters['cell']} ({parameters['cell_source']})",
            "recipe": f"{parameters['recipe_name']}, {record['protocol']} protocol",
            "reduced against the recipe": "; ".join(record["reduced"]) or "no",
            "changed against the recipe": "; ".join(record["changed"]) or "no",
            "seed": parameters["seed"],
            "data": f"{self.dataset}, fingerprint {data['fingerprint'][:16]}. {data['source']}",
            "unreadable images": f"{broken['count']}: {', '.join(broken['files'][:5])}" if broken["count"] else "none",
            "network": f"{network['parameters'] / 1e6:.3f} M parameters without auxiliary head, "
            f"{network['macs'] / 1e6:.1f} M multiply-adds",
            "training time": f"{found['train_s']:.0f} s, {len(self.history)} epochs, {self.history.images_per_s.median():.0f} images/s",
            "device": f"{record['device']} ({environment['cpu']}), torch {environment['packages'].get('torch')}, "
            f"{record['processes']} {'process' if record['processes'] == 1 else 'processes'}",
            "commit": f"{environment['commit']}" + (" with uncommitted changes" if environment["uncommitted_changes"] else ""),
        }
        return tables.listing(rows)

    def curves(self) -> Figure:
        return training_curves(self.history, self.dataset, self.paper_error)

    def curves_sentence(self) -> Markdown:
        last, found = self.history.iloc[-1], self.record["metrics"]
        gap = (100 - last.test_acc_pct) - (100 - last.train_acc_pct)
        dropped = " and pass through dropped paths" if self.history.drop_path.any() else ""
        return Markdown(
            f"Test error is {found[self._key('last')]:.2f} % after the last epoch, {abs(gap):.2f} points {'above' if gap > 0 else 'below'} "
            f"that of the training batches, which are augmented{dropped}. The lowest of all epochs is "
            f"{found[self._key('best')]:.2f} % (epoch {found['best_epoch']}): chosen on the test set, so no fair estimate."
        )

    def cell(self, kind: str = "normal") -> Figure:
        """The cell `kind`, 'normal' or 'reduce'; a NAS-Bench-201 cell has one kind."""
        name = self.record["parameters"]["cell"]
        if isinstance(self.genotype, DartsGenotype):
            return darts_cell(self.genotype, kind, f"{name}, {'reduction' if kind == 'reduce' else kind} cell")
        return cell_graph(self.genotype.edges(), name)

    def comparison(self) -> pd.DataFrame:
        """Size and error, the paper's beside ours; ours of a reduced run under a heading of their own."""
        found, network = self.record["metrics"], self.record["network"]
        heading = "ours, reduced: not comparable" if self._less else "ours"
        ours = {
            "parameters (M)": f"{network['parameters'] / 1e6:.3f}",
            "multiply-adds (M)": f"{network['macs'] / 1e6:.1f}",
            "test error, last epoch (%)": f"{found[self._key('last')]:.2f}",
            "test error, best epoch (%)": f"{found[self._key('best')]:.2f}",
            "top-5 test error, last epoch (%)": f"{found[f'{self.dataset}_test_top5_error_pct_last']:.2f}",
        }
        table = pd.DataFrame({"paper": dict.fromkeys(ours, "–"), heading: ours})
        if self.paper is not None:
            table.loc["parameters (M)", "paper"] = f"{self.paper['params_m']:.1f}"
            table.loc["test error, last epoch (%)", "paper"] = f"{self.paper_error:g} (which epoch is not said)"
            if "top5_error_pct" in self.paper:
                table.loc["top-5 test error, last epoch (%)", "paper"] = f"{self.paper['top5_error_pct']:g}"
        return table

    def conclusion(self) -> Markdown:
        """One sentence: our error beside the paper's, and whether they can be compared."""
        error, less = self.record["metrics"][self._key("last")], self._less
        text = f"**{self.record['parameters']['cell']} ends at {error:.2f} % test error on {self.dataset} (last epoch, one seed)"
        text += f"; the paper has {self.paper_error:g} %" if self.paper is not None else "; the paper has no number for it"
        return Markdown(text + ".**" + (f" This was a reduced run ({'; '.join(less)}), not the paper's." if less else ""))

    @property
    def _less(self) -> list[str]:
        return [*self.record["reduced"], *self.record["changed"]]

    def _key(self, which: str) -> str:
        return f"{self.dataset}_test_error_pct_{which}"
