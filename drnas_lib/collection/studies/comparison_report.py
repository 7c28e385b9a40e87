"""The comparison of Table 4 and Table 1 read back from its files: tables, figures and sentences. No torch."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from drnas_lib.benchmark import policies
from drnas_lib.benchmark.policies import LABELS, SECONDS_PER_QUERY, TableSearchConfig
from drnas_lib.benchmark.table import DATASETS, Benchmark
from drnas_lib.collection.studies.comparison import RUN_COLUMNS, ComparisonConfig, PartialChannelsConfig, lookup_runs, runs
from drnas_lib.collection.views import comparison_plots, tables
from drnas_lib.collection.views.tables import OPTIMUM
from drnas_lib.runs.records import PROJECT, read_json

PAPER = PROJECT / "params" / "paper"
RESNET = "ResNet (He et al., 2016)"
ABSENT_TABLE = "no NAS-Bench-201 table; the conclusion says how to get it"
Reasons = dict[tuple[str, str], str]
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def _rank(benchmark: Benchmark | None) -> tables.Rank:
    """As a table shows it: '120 (99.2 %)', of several seeds the medians."""
    if benchmark is None:
        return tables.no_rank

    def rank(accuracies: Iterable[float], dataset: str, split: str) -> str:
        standing = benchmark.median_standing(accuracies, dataset, split)
        return standing.short if standing else ""

    return rank


def _styled(table: pd.DataFrame) -> Styler:
    """The paper's lines pale, ours strong, notes in little room."""
    style = tables.shown(table).set_properties(**{"white-space": "nowrap"})
    notes = [column for column in ("note",) if column in table.columns]
    style = style.set_properties(subset=notes, **{"white-space": "normal", "min-width": "11em", "font-size": "85%"})
    weights = {"paper": "opacity: 0.65", "ours": "font-weight: bold"}
    return style.apply(lambda row: [weights.get(row.name[1], "")] * len(row), axis=1)


def _first(text: str, length: int = 160) -> str:
    return text if len(text) <= length else text[: length - 1].rsplit(" ", 1)[0] + " …"


def _not_run(reasons: Reasons, said: str) -> str:
    """Every reason but the one that is `said` already in full, once, behind what could not be run for it."""
    of: dict[str, list[str]] = {}
    for (label, dataset), why in reasons.items():
        if why != said:
            of.setdefault(why, []).append(f"{label} on {dataset}")
    return "".join(f"\n\nNot run: {', '.join(names)}. {why}" for why, names in of.items())


@dataclass(frozen=True)
class Table4Report:
    """`runs` has a row per finished seed, `reasons` says by (label, data set) why there is none, `missing` why there is no benchmark."""

    runs: pd.DataFrame
    reasons: Reasons
    datasets: list[str]
    paper: dict
    benchmark: Benchmark | None
    missing: str

    @classmethod
    def read(cls, config: ComparisonConfig, reasons: Reasons) -> "Table4Report":
        """What is on disk for these parameters, whichever seeds."""
        parts = [part for part in (lookup_runs(config.lookups()), runs(config.searches())) if len(part)]
        found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=RUN_COLUMNS)
        return cls(found, reasons, config.datasets, read_json(PAPER / "table4.json"), *Benchmark.found())

    def _labels(self) -> list[str]:
        return list(dict.fromkeys([*(row["method"] for row in self.paper["rows"]), *self.runs.label]))

    def _notes(self) -> dict[str, str]:
        notes = {RESNET: "no search: the paper quotes NAS-Bench-201's row of a ResNet, which is not one of its cells"}
        if not set(self.datasets) & set(DATASETS):
            notes |= dict.fromkeys(LABELS.values(), f"looks cells up in the benchmark, which does not know {', '.join(self.datasets)}")
        for label in self._labels():
            reasons = {dataset: why for (name, dataset), why in self.reasons.items() if name == label}
            if reasons:
                notes[label] = "; ".join(f"{d}: {ABSENT_TABLE if why == self.missing else _first(why)}" for d, why in reasons.items())
        return notes | ({OPTIMUM: ABSENT_TABLE} if self.missing else {})

    def _with_optimum(self) -> pd.DataFrame:
        if self.benchmark is None:
            return self.runs
        best = [
            {"row": OPTIMUM, "label": OPTIMUM, "dataset": dataset, "seed": 0, "reduced": ""}
            | {f"{split}_acc_pct": self.benchmark.optimum(dataset, split)[1] for split in ("valid", "test")}
            for dataset in DATASETS
        ]
        return pd.concat([self.runs, pd.DataFrame(best)], ignore_index=True) if len(self.runs) else pd.DataFrame(best, columns=RUN_COLUMNS)

    def table(self) -> Styler:
        """Table 4, every row of the paper and what is beside it."""
        return _styled(tables.table4(self.paper["rows"], self._with_optimum(), self._notes(), _rank(self.benchmark)))

    def dots(self) -> Figure | Markdown:
        """Every seed against the optimum."""
        shown = self.runs.dropna(subset=["test_acc_pct"])
        if not len(shown):
            return Markdown("No seed has an accuracy yet.")
        return comparison_plots.seeds_against_optimum(shown, self.paper["rows"], self._labels())

    def conclusion(self) -> Markdown:
        """One sentence for each data set, and how to get the benchmark's table where it is missing."""
        said = [self._of(dataset) for dataset in self.datasets]
        return Markdown("\n\n".join([*said, self.missing] if self.missing else said) + _not_run(self.reasons, self.missing))

    def _of(self, dataset: str) -> str:
        found = self.runs[self.runs.dataset == dataset].dropna(subset=["test_acc_pct"])
        if not len(found):
            return f"**{dataset}: nothing to compare yet.**"
        rank, parts = _rank(self.benchmark), []
        for label, of in sorted(found.groupby("label").test_acc_pct, key=lambda group: -group[1].mean()):
            place = rank(of, dataset, "test")
            parts.append(f"{comparison_plots.short(label)} {of.mean():.2f} %{f', rank {place}' if place else ''}, n = {len(of)}")
        optimum = ""
        if self.benchmark is not None and dataset in DATASETS:
            best = self.benchmark.optimum(dataset, "test")[1]
            optimum = f" Ranks are those of the median seed, with the share of all cells below it; the best cell has {best:.2f} %."
        less = sorted({reason for reason in found.reduced if reason})
        caution = (
            " These are reduced runs: they show that every method runs and what it costs under one budget; their accuracies, of so few "
            "seeds and steps, rank nothing and belong in no column of the paper."
            if less
            else ""
        )
        return f"**{dataset}, test accuracy of the found cells: {'; '.join(parts)}.**{optimum}{caution}"

    def cost(self) -> Figure | Markdown:
        """Seconds and memory of each search."""
        searched = self.runs[~self.runs.row.isin(policies.POLICIES)]
        return comparison_plots.cost(searched, self._labels()) if len(searched) else Markdown("Nothing was searched yet.")


def sensitivity(config: ComparisonConfig) -> Styler | Markdown:
    """Random search and REINFORCE on the table under other costs of a query and both published rates, beside the paper's rows."""
    (benchmark, missing), rows, lines = Benchmark.found(), {row["method"]: row for row in read_json(PAPER / "table4.json")["rows"]}, {}
    if benchmark is None:
        return Markdown(f"There is nothing to look up: {missing}")
    (seeds,) = config.table_seeds
    for method, rate in (("random", 0.001), ("reinforce", 0.001), ("reinforce", 0.5)):
        name = method if method == "random" else f"{method}, rate {rate}"
        lines[name, "paper"] = {f"{d} test": tables.spread(**rows[LABELS[method]][f"{d}_test"]) for d in DATASETS}
        for factor in FACTORS:
            line = {}
            for dataset in DATASETS:
                given = {"dataset": dataset, "method": method, "policy_lr": rate, "seeds": seeds}
                settings = TableSearchConfig.of(given | {"seconds_per_query": factor * SECONDS_PER_QUERY[dataset]}).settings()
                accuracy = policies.search(settings, benchmark)[f"{dataset}_test_acc_pct"]
                rank = _rank(benchmark)(accuracy, dataset, "test")
                line[f"{dataset} test"] = f"{tables.measured(accuracy)}, rank {rank}, {settings.queries} queries"
            lines[name, f"cost × {factor:g}"] = line
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["search", ""])
    return _styled(table)


@dataclass(frozen=True)
class Table1Report:
    """Partial channels: `runs` has a row per finished seed and K."""

    runs: pd.DataFrame
    reasons: Reasons
    datasets: list[str]
    paper: dict
    benchmark: Benchmark | None
    missing: str

    @classmethod
    def read(cls, config: PartialChannelsConfig, reasons: Reasons) -> "Table1Report":
        return cls(runs(config.searches()), reasons, config.datasets, read_json(PAPER / "table1.json"), *Benchmark.found())

    def table(self) -> Styler:
        notes = {dataset: _first(why) for (_, dataset), why in self.reasons.items()}
        return _styled(tables.table1(self.paper["rows"], self.runs, notes, _rank(self.benchmark)))

    def memory(self) -> Figure | Markdown:
        """Memory of every stage, the paper's GPU figures beside it where ours are GPU figures too."""
        if not len(self.runs):
            return Markdown("Nothing was searched yet.")
        return comparison_plots.memory_by_stage(self.runs, self.paper["rows"])

    def conclusion(self) -> Markdown:
        if not len(self.runs):
            return Markdown("**Nothing to compare yet.**" + _not_run(self.reasons))
        said = []
        for dataset, of_set in self.runs.groupby("dataset", sort=False):
            first, last = of_set.iloc[0], of_set[of_set.row != "ours"].iloc[-1]
            ratio = first.activation_mb / last.activation_mb
            said.append(
                f"**{dataset}: from {first.label} to {last.label} the activations that a step keeps fall from {first.activation_mb:.1f} to "
                f"{last.activation_mb:.1f} MB, {ratio:.1f} times.**" + _progressive(of_set, first)
            )
        reduced = " The runs are reduced, so their accuracies are no statement about K." if (self.runs.reduced != "").any() else ""
        return Markdown("\n\n".join([*said, self.missing] if self.missing else said) + reduced + _not_run(self.reasons, self.missing))


def _progressive(of_set: pd.DataFrame, first: pd.Series) -> str:
    ours = of_set[of_set.row == "ours"]
    if not len(ours):
        return ""
    stages = ", then ".join(
        f"{s['activation_mb']:.1f} MB at K = {s['k']} with {s['operations_kept']} operations" for s in ours.iloc[0].stage_memory
    )
    return f" The progressive search needs {stages}, against {first.activation_mb:.1f} MB of {first.label}."
