"""The comparisons of Table 4 and Table 1, read back from their files and handed to views/tables.py and the plots. No torch."""

from collections import defaultdict
from dataclasses import dataclass
from textwrap import shorten

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import LABELS, SECONDS_PER_QUERY, TableSearchSettings
from drnas_lib.benchmark.table import DATASETS, Benchmark
from drnas_lib.collection.studies.comparison import RUN_COLUMNS, ComparisonConfig, PartialChannelsConfig, Reasons, runs
from drnas_lib.collection.views import comparison_plots, tables
from drnas_lib.collection.views.published import paper_table
from drnas_lib.collection.views.tables import OPTIMUM

RESNET = "ResNet (He et al., 2016)"
ABSENT_TABLE = "no NAS-Bench-201 table; the conclusion says how to get it"
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def _styled(table: pd.DataFrame) -> Styler:
    """The paper's lines pale, ours bold, notes small and wrapped."""
    style = tables.shown(table)
    assert isinstance(style, Styler)  # the paper's lines are always there
    style = style.set_properties(**{"white-space": "nowrap"})
    notes = table.columns.intersection(["note"])
    style = style.set_properties(subset=notes, **{"white-space": "normal", "min-width": "11em", "font-size": "85%"})
    weights = {"paper": "opacity: 0.65", "ours": "font-weight: bold"}
    return style.apply(lambda row: [weights.get(row.name[1], "")] * len(row), axis=1)


def _caution(runs: pd.DataFrame) -> str:
    """What a reader of reduced runs has to know; empty where none is reduced."""
    reduced = runs.reduced != ""
    which = "These" if reduced.all() else "Some of these"
    said = (
        f" {which} are reduced runs: their accuracies belong in no column of the paper. The report judges its claims at the laptop scale."
    )
    return said if reduced.any() else ""


def _note(why: str) -> str:
    return shorten(why, 160, placeholder=" …")


@dataclass(frozen=True)
class TableReport:
    """`runs` has a row for each finished seed, `reasons` says why others are missing, and `no_benchmark` why `benchmark` is None."""

    runs: pd.DataFrame
    reasons: Reasons
    datasets: list[str]
    paper: list[dict]
    benchmark: Benchmark | None
    no_benchmark: str

    def _conclusion(self, sentences: list[str], caution: str = "") -> Markdown:
        """The sentences of the data sets, how to get a missing benchmark, and each other reason once, with the runs that it stopped."""
        stopped = defaultdict(list)
        for (label, dataset), why in self.reasons.items():
            if why != self.no_benchmark:
                stopped[why].append(f"{label} on {dataset}")
        said = "\n\n".join([*sentences, self.no_benchmark] if self.no_benchmark else sentences)
        return Markdown(said + caution + "".join(f"\n\nNot run: {', '.join(names)}. {why}" for why, names in stopped.items()))


class Table4Report(TableReport):
    """Table 4: all methods."""

    @classmethod
    def read(cls, config: ComparisonConfig, reasons: Reasons) -> "Table4Report":
        """All finished seeds of these searches, including seeds that `config` does not name."""
        found, paper = runs(config.searches(), config.lookups()), paper_table(4)["rows"]
        return cls(found, reasons, config.datasets, paper, *Benchmark.load_if_available())

    def _labels(self) -> list[str]:
        return list(dict.fromkeys([*(row["method"] for row in self.paper), *self.runs.label]))

    def _notes(self) -> dict[str, str]:
        notes = {RESNET: "no search: the paper quotes NAS-Bench-201's row of a ResNet, which is not one of its cells"}
        if not set(self.datasets) & set(DATASETS):
            notes |= dict.fromkeys(LABELS.values(), f"looks cells up in the benchmark, which does not know {', '.join(self.datasets)}")
        reasons = defaultdict(list)
        for (label, dataset), why in self.reasons.items():
            reasons[label].append(f"{dataset}: {ABSENT_TABLE if why == self.no_benchmark else _note(why)}")
        notes |= {label: "; ".join(lines) for label, lines in reasons.items()}
        return notes | ({OPTIMUM: ABSENT_TABLE} if self.no_benchmark else {})

    def table(self) -> Styler:
        """Table 4: every row of the paper, and ours; the benchmark's optimum counts as a run."""
        rows, benchmark = self.runs.to_dict("records"), self.benchmark
        if benchmark is not None:
            for dataset in DATASETS:
                best = {f"{split}_acc_pct": benchmark.optimum(dataset, split)[1] for split in ("valid", "test")}
                rows.append({"row": OPTIMUM, "label": OPTIMUM, "dataset": dataset, "seed": 0, "reduced": ""} | best)
        return _styled(tables.table4(self.paper, pd.DataFrame(rows, columns=RUN_COLUMNS), self._notes(), self.benchmark))

    def dots(self) -> Figure | Markdown:
        """Every seed's accuracy, against the optimum."""
        shown = self.runs.dropna(subset=["test_acc_pct"])
        if shown.empty:
            return Markdown("No seed has an accuracy yet.")
        return comparison_plots.seeds_against_optimum(shown, self.paper, self._labels())

    def conclusion(self) -> Markdown:
        """A sentence for each data set, and why other runs are missing."""
        return self._conclusion([self._sentence(dataset) for dataset in self.datasets])

    def _sentence(self, dataset: str) -> str:
        found = self.runs[self.runs.dataset == dataset].dropna(subset=["test_acc_pct"])
        if found.empty:
            return f"**{dataset}: nothing to compare yet.**"
        parts = []
        for label, of in sorted(found.groupby("label").test_acc_pct, key=lambda group: -group[1].mean()):
            place = tables.rank(self.benchmark, of, dataset, "test")
            parts.append(f"{comparison_plots.short(label)} {of.mean():.2f} %{f', rank {place}' if place else ''}, n = {len(of)}")
        said = f"**{dataset}, test accuracy of the found cells: {'; '.join(parts)}.**"
        if self.benchmark is not None and dataset in DATASETS:
            best = self.benchmark.optimum(dataset, "test")[1]
            said += f" Ranks are those of the median seed, with the share of all cells below it; the best cell has {best:.2f} %."
        return said + _caution(found)

    def cost(self) -> Figure | Markdown:
        """Time and memory of each search."""
        searched = self.runs[~self.runs.row.isin(policies.POLICIES)]
        return comparison_plots.cost(searched, self._labels()) if len(searched) else Markdown("Nothing was searched yet.")


def sensitivity(config: ComparisonConfig) -> Styler | Markdown:
    """Random search and REINFORCE on the table under other costs of a query and both published learning rates, beside the paper's rows."""
    benchmark, missing = Benchmark.load_if_available()
    if benchmark is None:
        return Markdown(f"There is nothing to look up: {missing}")
    paper, lines = {row["method"]: row for row in paper_table(4)["rows"]}, {}
    (seeds,) = config.table_seeds
    for method, rate in (("random", 0.001), ("reinforce", 0.001), ("reinforce", 0.5)):
        name = method if method == "random" else f"{method}, rate {rate}"
        lines[name, "paper"] = {f"{d} test": tables.mean_std_text(**paper[LABELS[method]][f"{d}_test"]) for d in DATASETS}
        for factor in FACTORS:
            line = {}
            for dataset in DATASETS:
                settings = TableSearchSettings.of(dataset, method, seeds, factor * SECONDS_PER_QUERY[dataset], rate)
                found = policies.search(settings, benchmark)[f"{dataset}_test_acc_pct"]
                line[f"{dataset} test"] = (
                    f"{tables.measured(found)}, rank {tables.rank(benchmark, found, dataset, 'test')}, {settings.queries} queries"
                )
            lines[name, f"cost × {factor:g}"] = line
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["search", ""])
    return _styled(table)


class Table1Report(TableReport):
    """Table 1: every K, and the progressive search."""

    @classmethod
    def read(cls, config: PartialChannelsConfig, reasons: Reasons) -> "Table1Report":
        """All finished seeds of these searches, including seeds that `config` does not name."""
        return cls(runs(config.searches()), reasons, config.datasets, paper_table(1)["rows"], *Benchmark.load_if_available())

    def table(self) -> Styler:
        """Table 1: every row of the paper, and ours."""
        notes = {dataset: _note(why) for (_, dataset), why in self.reasons.items()}
        return _styled(tables.table1(self.paper, self.runs, notes, self.benchmark))

    def memory(self) -> Figure | Markdown:
        """Memory of every stage, beside the paper's GPU memory where ours was measured on a GPU too."""
        return comparison_plots.memory_by_stage(self.runs, self.paper) if len(self.runs) else Markdown("Nothing was searched yet.")

    def conclusion(self) -> Markdown:
        """A sentence on accuracy and memory for each data set, and why other runs are missing."""
        if self.runs.empty:
            return self._conclusion(["**Nothing to compare yet.**"])
        sentences = [_lost_and_saved(dataset, of_set) for dataset, of_set in self.runs.groupby("dataset", sort=False)]
        return self._conclusion(sentences, _caution(self.runs))


def _lost_and_saved(dataset: str, runs: pd.DataFrame) -> str:
    """Accuracy and memory of the smallest and the largest K, and of the progressive search; means over seeds."""
    constant, progressive = runs[runs.row != "ours"], runs[runs.row == "ours"]
    if constant.empty:
        return f"**{dataset}: no search with one K yet.**"
    first, last = (constant[constant.label == label] for label in (constant.label.iloc[0], constant.label.iloc[-1]))
    before, after = first.activation_mb.mean(), last.activation_mb.mean()
    accuracies = [tables.measured(of.test_acc_pct.astype(float)) for of in (first, last)]
    known = constant.test_acc_pct.notna().any()
    accuracy = f"the test accuracy of the found cells goes from {' to '.join(accuracies)} %, and " if known else ""
    if len(constant.label.unique()) == 1:
        accuracy = f"the found cells have {accuracies[0]} % test accuracy, and " if known else ""
        return f"**{dataset}: at {first.label.iloc[0]} {accuracy}a step keeps {before:.1f} MB of activations.**"
    said = (
        f"**{dataset}: from {first.label.iloc[0]} to {last.label.iloc[0]} {accuracy}the activations that a step keeps fall from "
        f"{before:.1f} to {after:.1f} MB, by a factor of {before / after:.1f}.**"
    )
    if progressive.empty:
        return said
    stages = ", then ".join(
        f"{stage.activation_mb:.1f} MB at K = {stage.k} with {stage.operations_kept} operations"
        for stage in tables.by_stage(progressive).itertuples()
    )
    reaches = f"reaches {tables.measured(progressive.test_acc_pct.astype(float))} % and needs" if known else "needs"
    return f"{said} The progressive search {reaches} {stages}, against {before:.1f} MB of {first.label.iloc[0]}."
