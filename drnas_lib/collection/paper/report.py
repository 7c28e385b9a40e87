"""The report: every table and figure of the paper, number by number, beside our results, with a verdict. It is a command too.

python -m drnas_lib.collection.paper                the tables
python -m drnas_lib.collection.paper --missing      what has no full-length result yet, and the commands that make it
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from IPython.display import Markdown

from drnas_lib.benchmark.table import Benchmark
from drnas_lib.collection.paper import missing
from drnas_lib.collection.paper.claims import Judged, claim_lines, judge_claims
from drnas_lib.collection.paper.measured import Measured
from drnas_lib.collection.paper.numbers import FIGURES, TABLES, PaperNumber
from drnas_lib.collection.paper.verdicts import Finding, Verdict, findings, runs
from drnas_lib.collection.views import tables
from drnas_lib.runs.files import existing
from drnas_lib.runs.index import RunIndex

PLACES = (*(f"Table {number}" for number in TABLES), *(f"Figure {number}" for number in FIGURES))
BEHIND = ("n", "protocol", "device", "data", "hours each")  # columns about the runs behind values
NARROW = ["paper", "full", "rank", "n", "verdict", "laptop", "another size", "its rank"]  # columns that a terminal shows


@dataclass(frozen=True)
class Report:
    """What the runs in a folder of results say of the paper."""

    results: RunIndex

    @classmethod
    def read(cls, results: str = "results") -> "Report":
        """Raises RecordError for a folder that is not there, never for a damaged run: `damaged` names those."""
        return cls(RunIndex.read(existing(results)))

    @cached_property
    def findings(self) -> list[Finding]:
        return findings(self.results)

    @cached_property
    def benchmark(self) -> tuple[Benchmark | None, str]:
        """The benchmark for the ranks, or None and the reason."""
        return Benchmark.load_if_available()

    @cached_property
    def claims(self) -> Judged:
        return judge_claims(self.results)

    @property
    def damaged(self) -> list[str]:
        """A line for every file that could not be read."""
        return [f"not read: {problem}" for problem in self.results.damaged]

    def of(self, place: str) -> list[Finding]:
        """The findings of 'Table 4' or 'Figure 1'."""
        return [finding for finding in self.findings if finding.number.place == place]

    def table(self, place: str) -> pd.DataFrame:
        """A row for every number: the paper's, ours at full length, the verdict, and apart from them those of other scales and sizes.

        Beside an accuracy that was looked up stands the rank of the median seed among all cells, with the share of cells below it;
        "its rank" is that of the laptop scale or, where nothing ran at it, of another size.
        """
        table = pd.DataFrame([_row(finding, self.benchmark[0]) for finding in self.of(place)])
        return table.set_index(["row", "quantity"]).rename_axis(index=[None, None])

    def side_by_side(self, place: str) -> pd.DataFrame:
        """A row for every row of the paper: each of its quantities, ours at full length beside it, and the paper's kind of search."""
        rows: dict[str, dict[str, str]] = defaultdict(dict)
        for found in self.of(place):
            name, quantity = found.number.row, found.number.quantity_text
            ours = f"{found.ours} (n = {found.n})" if found.n.isdigit() else found.ours
            rows[name] |= {f"paper: {quantity}": found.number.printed, f"ours: {quantity}": ours}
        searches = {found.number.row: found.number.entry.get("search_method", "") for found in self.of(place)}
        return pd.DataFrame.from_dict(rows, orient="index").fillna(tables.ABSENT).assign(search=searches)

    def counts(self) -> pd.DataFrame:
        """How many numbers of each table and figure have which verdict."""
        found = pd.DataFrame([(finding.number.place, finding.verdict.value) for finding in self.findings], columns=["place", "verdict"])
        return pd.crosstab(found.place, found.verdict).reindex(index=PLACES, columns=[v.value for v in Verdict], fill_value=0)

    def verdict(self, place: str) -> str:
        """A whole table or figure in words: '5 reproduced, 12 within spread, 42 not run (for 6 of them there is nothing to run)'."""
        counted = Counter(finding.verdict for finding in self.of(place))
        said = ", ".join(f"{counted[v]} {v.value}" for v in Verdict if counted[v])
        never = sum(finding.missing and not finding.commands for finding in self.of(place))
        return said + (f" (for {never} of them there is nothing to run)" if never else "")

    def sentence(self, place: str) -> Markdown:
        """The conclusion under a table or figure."""
        wrong = [f for f in self.of(place) if f.verdict is Verdict.NOT_REPRODUCED]
        names = "; ".join(f"{f.number.row}: {f.number.quantity_text} {f.ours}, printed {f.number.printed}" for f in wrong)
        numbers = f"{len(self.of(place))} number{'s' if len(self.of(place)) > 1 else ''}"
        return Markdown(f"**{place}, {numbers}: {self.verdict(place)}.**" + (f" Not reproduced: {names}." if wrong else ""))

    def opening(self) -> Markdown:
        """How many numbers have which verdict, and what could not be read."""
        counted = Counter(finding.verdict for finding in self.findings if finding.n == "exact")
        run = Counter(finding.verdict for finding in self.findings if finding.n != "exact")
        parts = [
            f"{name}: {', '.join(f'{of[v]} {v}' for v in Verdict if of[v])}."
            for name, of in (("Counted, or the best in the table", counted), ("From runs", run))
        ]
        said = f"**The paper's tables and figures have {len(self.findings)} numbers. {' '.join(parts)}**"
        read = f"From {len(self.results)} finished runs in `{self.results.root.name}`."
        return Markdown("\n\n".join([said, read, *(f"- {problem}" for problem in self.damaged)]))

    def reduced_runs(self) -> pd.DataFrame:
        """Every reduced run behind a number above: in what it is less, how many seeds, on what, and how long."""
        groups: dict[str, list[Measured]] = defaultdict(list)
        for finding in self.findings:
            for measured in (*finding.laptop, *finding.reduced):
                if measured.run:
                    groups[measured.run.name].append(measured)
        rows = [{"run": name, **provenance(values), "less than the paper's": values[0].reason} for name, values in groups.items()]
        return pd.DataFrame(rows, columns=["run", *BEHIND, "less than the paper's"]).set_index("run")

    def missing(self) -> str:
        """The commands that would make the rest, and first how to get the benchmark's table where the ranks lack it."""
        listed = missing.listing(self.findings, self.results)
        return f"Cells have no rank here: {self.benchmark[1]}\n\n{listed}" if self.benchmark[1] else listed

    def text(self) -> str:
        """Claims and tables for a terminal."""
        parts = [*self.damaged, *claim_lines(self.claims), ""]
        for place in PLACES:
            table = self.table(place)[NARROW]
            parts.append(f"{place}: {self.verdict(place)}\n\n{table.loc[:, (table != '').any()].to_string()}\n")
        return "\n".join(parts)


def _row(finding: Finding, benchmark: Benchmark | None) -> dict[str, str]:
    number, behind = finding.number, provenance(finding.full)
    return {
        "row": number.row,
        "quantity": number.quantity_text,
        "paper": number.printed,
        "full": finding.ours,
        "rank": _rank(number, finding.full, benchmark),
        "n": finding.n,
        "difference": finding.difference,
        "verdict": finding.verdict.value,
        "laptop": finding.laptop_text,
        "another size": finding.reduced_text,
        "its rank": _rank(number, finding.laptop or finding.reduced, benchmark),
        **{name: behind[name] for name in BEHIND[1:]},
        "note": finding.note,
    }


def _rank(number: PaperNumber, values: Sequence[Measured], benchmark: Benchmark | None) -> str:
    """'120 (99.2 %)' of accuracies that were looked up, else nothing."""
    if benchmark is None or number.benchmark_column is None:
        return ""
    dataset, split = number.benchmark_column
    found = [m.value for m in values if m.run and m.run.looked_up and m.run.dataset == dataset]
    return tables.rank(benchmark, found, dataset, split)


def provenance(values: Sequence[Measured]) -> dict[str, str]:
    """Of the runs behind values: how many, protocol, device, data and mean hours; empty texts where nothing was run."""
    behind = list({run.folder: run for run in runs(values)}.values())
    if not behind:
        return dict.fromkeys(BEHIND, "")
    seeds = len({(measured.run.folder, measured.seed) for measured in values if measured.run})  # of a table search many in one run
    hours = sum(run.hours for run in behind) / seeds
    distinct = lambda texts: " | ".join(dict.fromkeys(texts))
    protocol = distinct("lookup" if run.kind == "table_search" else run.record["protocol"] for run in behind)
    device = distinct(run.record["device"] for run in behind)
    data = distinct(f"{run.dataset} {run.record['data']['fingerprint'][:8]}" for run in behind)
    return dict(zip(BEHIND, (str(seeds), protocol, device, data, f"{hours:.2f}" if hours >= 0.01 else "< 0.01")))
