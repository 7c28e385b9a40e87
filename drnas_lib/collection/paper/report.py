"""The paper beside what was run here: every table and figure, number by number, with a verdict. Reads files only. No torch. A command:

python -m drnas_lib.collection.paper                the tables
python -m drnas_lib.collection.paper --missing      what has no full-length result yet, and the lines that make it
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from IPython.display import Markdown

from drnas_lib.benchmark.table import Benchmark
from drnas_lib.collection.paper import missing
from drnas_lib.collection.paper import numbers as paper
from drnas_lib.collection.paper.claim_tables import claim_lines
from drnas_lib.collection.paper.claims import ClaimResult, judged
from drnas_lib.collection.paper.findings import Finding, findings
from drnas_lib.collection.paper.numbers import PaperCell
from drnas_lib.collection.paper.verdict import Verdict
from drnas_lib.runs.index import Measured, RunIndex
from drnas_lib.runs.records import existing

PLACES = (*(f"Table {number}" for number in paper.TABLES), *(f"Figure {number}" for number in paper.FIGURES))
PROTOCOLS = {"table_search": "lookup"}  # whose own is a whole sentence


@dataclass(frozen=True)
class Report:
    """What the runs in a folder of results say of the paper."""

    results: RunIndex

    @classmethod
    def read(cls, results: str = "results") -> "Report":
        """Raises RecordError for a folder that is not there, never for a damaged run: `damaged` says what could not be read."""
        return cls(RunIndex.read(existing(results)))

    @cached_property
    def findings(self) -> list[Finding]:
        return findings(self.results)

    @cached_property
    def benchmark(self) -> tuple[Benchmark | None, str]:
        """For the ranks; without it the reason."""
        return Benchmark.found()

    @cached_property
    def claims(self) -> list[ClaimResult]:
        return judged(self.results)

    @property
    def damaged(self) -> tuple[str, ...]:
        return self.results.damaged

    def of(self, place: str) -> list[Finding]:
        """The findings of 'Table 4' or 'Figure 1'."""
        return [finding for finding in self.findings if finding.cell.place == place]

    def table(self, place: str) -> pd.DataFrame:
        """A row for every number: the paper's, ours at full length, the verdict, and apart from them what other scales and sizes gave.

        Beside an accuracy that was looked up stands the rank of the median seed among all cells, with the share of cells below it;
        "its rank" is that of the laptop scale or, where nothing ran at it, of another size.
        """
        table = pd.DataFrame([_row(finding, self.benchmark[0]) for finding in self.of(place)])
        return table.set_index(["row", "quantity"]).rename_axis(index=[None, None])

    def counts(self) -> pd.DataFrame:
        """How many numbers of each table and figure have which verdict."""
        counted = {place: Counter(finding.verdict for finding in self.of(place)) for place in PLACES}
        return pd.DataFrame({v.value: {place: counted[place][v] for place in PLACES} for v in Verdict})

    def verdict(self, place: str) -> str:
        """A whole table or figure in words: '5 reproduced, 12 within spread, 42 not run (nothing can make 6 of them)'."""
        counted = Counter(finding.verdict for finding in self.of(place))
        said = ", ".join(f"{counted[v]} {v.value}" for v in Verdict if counted[v])
        never = sum(finding.missing and not finding.lines for finding in self.of(place))
        return said + (f" (nothing can make {never} of them)" if never else "")

    def sentence(self, place: str) -> Markdown:
        """The conclusion under a table or figure."""
        wrong = [f for f in self.of(place) if f.verdict is Verdict.NOT_REPRODUCED]
        names = "; ".join(f"{f.cell.row}, {f.cell.quantity.label}: {f.ours} for {f.cell.printed}" for f in wrong)
        return Markdown(f"**{place}: {self.verdict(place)}.**" + (f" Not reproduced: {names}." if wrong else ""))

    def opening(self) -> Markdown:
        """What the whole says, and what could not be read."""
        total, exact = self.counts().sum(), Counter(finding.verdict.value for finding in self.findings if finding.n == "exact")
        some = {verdict: "all" if exact[verdict] == total[verdict] else f"{exact[verdict]} of them" for verdict in total.index}
        apart = {verdict: f" ({some[verdict]} counted or looked up, not run)" if exact[verdict] else "" for verdict in total.index}
        said = ", ".join(f"{count} {verdict}{apart[verdict]}" for verdict, count in total.items())
        lines = [f"**Of the {total.sum()} numbers and statements in the paper's tables and figures: {said}.**"]
        lines += [f"From {len(self.results)} finished runs in `{self.results.root.name}`."]
        lines += [f"- not read: {problem}" for problem in self.damaged]
        return Markdown("\n\n".join(lines))

    def reduced_runs(self) -> pd.DataFrame:
        """Every reduced run behind a number above: what it is less in, how many seeds, on what, and how long."""
        groups: dict[str, list[Measured]] = {}
        for finding in self.findings:
            for measured in (*finding.laptop, *finding.reduced):
                groups.setdefault(measured.run.name, []).append(measured)
        rows = [{"run": name, **provenance(values), "less than the paper's": values[0].less} for name, values in groups.items()]
        columns = ["run", "n", "protocol", "device", "data", "hours each", "less than the paper's"]
        return pd.DataFrame(rows, columns=columns).set_index("run")

    def missing(self) -> str:
        """The lines that would make the rest, and first how to get the benchmark's table, if the ranks lack it."""
        listed = missing.listing(self.findings, self.results)
        return f"Cells have no rank here: {self.benchmark[1]}\n\n{listed}" if self.benchmark[1] else listed


def _row(finding: Finding, benchmark: Benchmark | None) -> dict[str, str]:
    cell = finding.cell
    return {
        "row": cell.row,
        "quantity": cell.quantity_text,
        "paper": cell.printed,
        "full": finding.ours,
        "rank": _rank(cell, finding.full, benchmark),
        "n": finding.n,
        "difference": finding.difference,
        "verdict": finding.verdict.value,
        "laptop": finding.laptop_text,
        "another size": finding.reduced_text,
        "its rank": _rank(cell, finding.laptop or finding.reduced, benchmark),
        **{name: value for name, value in provenance(finding.full).items() if name != "n"},
        "note": finding.why,
    }


def _rank(cell: PaperCell, values: Sequence[Measured], benchmark: Benchmark | None) -> str:
    """'120 (99.2 %)' of accuracies that were looked up, else nothing."""
    if benchmark is None or cell.looked_up is None:
        return ""
    dataset, split = cell.looked_up
    found = [m.value for m in values if m.run and m.run.looked_up and m.run.dataset == dataset]
    standing = benchmark.median_standing(found, dataset, split)
    return standing.short if standing else ""


def provenance(values: Sequence[Measured]) -> dict[str, str]:
    """Of the runs behind some values: how many, protocol, device, data and mean hours; of what was counted or never run, nothing."""
    runs = {measured.run.folder: measured.run for measured in values if measured.run}
    if not runs:
        return dict.fromkeys(("n", "protocol", "device", "data", "hours each"), "")
    seeds = len({(measured.run.folder, measured.seed) for measured in values})  # of a search on the table, all its seeds are one run
    return {
        "n": str(seeds),
        "protocol": _several(PROTOCOLS.get(run.kind, run.record["protocol"]) for run in runs.values()),
        "device": _several(run.record["device"] for run in runs.values()),
        "data": _several(f"{run.dataset} {run.record['data']['fingerprint'][:8]}" for run in runs.values()),
        "hours each": _hours(sum(run.hours for run in runs.values()) / seeds),
    }


def _hours(value: float) -> str:
    return f"{value:.2f}" if value >= 0.01 else "< 0.01"


def _several(values) -> str:
    return " | ".join(dict.fromkeys(values))


def text(report: Report) -> str:
    """The tables for a terminal."""
    narrow = ["paper", "full", "rank", "n", "verdict", "laptop", "another size", "its rank"]
    tables = {place: report.table(place)[narrow] for place in PLACES}
    parts = [f"{place}: {report.verdict(place)}\n\n{table.loc[:, (table != '').any()].to_string()}\n" for place, table in tables.items()]
    return "\n".join([*complaints(report), *claim_lines(report.claims), "", *parts])


def complaints(report: Report) -> list[str]:
    """A line for every file that could not be read."""
    return [f"not read: {problem}" for problem in report.damaged]
