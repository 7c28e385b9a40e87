"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import FEWEST, ClaimVerdict, judge
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Values, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.records import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
TABLE, COLUMN = "Table 4", "cifar10_test"  # shown in the README; the report has all tables
LAPTOP_SCALE = "[laptop scale](#words) (a tenth of the images, half the epochs, a small network)"
DECIDED = (ClaimVerdict.HOLDS, ClaimVerdict.DOES_NOT_HOLD)
OWN, QUERIES = "DrNAS", "table_search"  # the paper's method; the kind of a run that only queries the benchmark table
EXCEPT = ("ResNet (He et al., 2016)", "optimal")  # rows that nobody searches


def updated(text: str, report: Report) -> str:
    """The README `text` with what the finished runs say now. Raises ValueError where a part of it cannot be found."""
    for pattern, new in _parts(report):
        places = list(re.finditer(pattern, text))
        if len(places) != 1:
            raise ValueError(f"{README.name} needs one place for {pattern!r}, and has {len(places)}.")
        text = text[: places[0].start()] + new + text[places[0].end() :]
    return text


def _parts(report: Report) -> Iterator[tuple[str, str]]:
    """A pattern for each part of the README, and the text that takes its place."""
    yield r"\| verdict \|(.*\n)+\nClaims not run yet: .*", "\n".join(claims.markdown(report.claims))
    yield r"\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    yield r"In short: .*", f"In short: {in_short(report)}"
    yield r"- \*\*The paper's \d+ claims:\*\*.*", f"- **The paper's {len(claims.claims())} claims:** {claim_counts(report)}"
    yield r"- \*\*Found so far:\*\*.*", f"- **Found so far:** {found_so_far(report)}"
    yield r"- \*\*The paper's \d+ numbers:\*\*.*", f"- **The paper's {len(report.findings)} numbers:** {number_counts(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, which of them are decided, and how many laptop searches are missing."""
    of, plan = report.claims, Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    decided = [f"*{claim.statement}* {verdict}" for claim, scales in of if (verdict := scales[LAPTOP].outcome.verdict) in DECIDED]
    which = f" ({'; '.join(decided)})" if decided else ""
    missing = f"{len(done) - sum(done)} of {len(done)} planned searches are missing"
    return f"at full scale {claims.counted(of, FULL)}. At {LAPTOP_SCALE} {claims.counted(of, LAPTOP)}{which}; {missing}."


def found_so_far(report: Report) -> str:
    """Accuracies at the laptop scale for the first screen."""
    of = Comparison.of(report)
    if of is None:
        return "nothing to compare yet."
    return (
        "NAS-Bench-201 is a space of 15,625 cells with a published table of their accuracies. On CIFAR-10 our laptop searches found cells "
        f"of: DrNAS {_accuracy(of.drnas)}, {of.name} (the best other supernet method) {_accuracy(of.best)}. Random search, which only reads "
        f"that table, has {of.random.ours} % (n = {of.random.n}); the best cell has {of.optimum} %."
    )


def _accuracy(finding: Finding) -> str:
    """'93.61 ± 0.23 % (n = 4)', of the laptop scale."""
    return finding.laptop_text.replace(" (", " % (")


def number_counts(report: Report) -> str:
    """How many numbers have no full-length value of ours, agree with ours, and differ; how many of those that agree are from our runs."""
    counted = Counter(finding.verdict for finding in report.findings)
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    trained = sum(run.kind != QUERIES for finding in agree for run in runs(finding.full)[:1])
    none = ": parameter counts, and results read from that table, such as random search's"
    networks = f", {trained} of them from trained networks" if trained else none
    return (
        f"{counted[Verdict.REDUCED_ONLY] + counted[Verdict.NOT_RUN]} have no full-size run yet. {len(agree)} agree{networks}. "
        f"{counted[Verdict.NOT_REPRODUCED]} differ, mostly parameter counts that the paper quotes for other methods."
    )


def shown(report: Report) -> list[Finding]:
    """The findings of the README's table of results."""
    return [f for f in report.of(TABLE) if f.number.column == COLUMN and f.number.row not in EXCEPT]


def results(report: Report) -> list[str]:
    """The table of results in Markdown."""
    rows = ["| method | paper | ours, full size | n | ours, laptop scale | comparison |", "|---|---|---|---|---|---|"]
    for f in shown(report):
        cells = f.number.row, f.number.printed, f.ours, f.n or ABSENT, f.laptop_text or ABSENT, f.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def in_short(report: Report) -> str:
    """By how much DrNAS leads at the laptop scale, with intervals, and which methods have too few runs."""
    of = Comparison.of(report)
    if of is None:
        return "nothing to compare yet."
    few = ", ".join(short(f.number.row) for f in shown(report) if 0 < len(f.laptop) < FEWEST)
    return (
        f"at the laptop scale DrNAS leads {of.name}, the best other supernet method, by {_lead(of.drnas.laptop, of.best.laptop)}, and "
        f"random search by {_lead(of.drnas.laptop, of.random.full)}. An interval that includes 0 shows no difference."
        + (f" Fewer than {FEWEST} runs so far: {few}." if few else "")
    )


def _lead(ours: Values, others: Values) -> str:
    """'1.01 points (95 % interval -1.50 to 3.52)'."""
    lead = judge("difference", {"above": 0}, [[m.value for m in ours]], [[m.value for m in others]])
    interval = "no interval" if lead.low is None else f"95 % interval {lead.low:.2f} to {lead.high:.2f}"
    return f"{lead.value:.2f} points ({interval})"


@dataclass(frozen=True)
class Comparison:
    """The findings of DrNAS, of the supernet method with the best laptop searches beside it, and of random search."""

    drnas: Finding
    best: Finding
    random: Finding
    optimum: str  # accuracy of the best cell, as the paper prints it

    @property
    def name(self) -> str:
        return short(self.best.number.row)

    @classmethod
    def of(cls, report: Report) -> Self | None:
        """None while one of the three has no run."""
        column = {short(f.number.row): f for f in report.of(TABLE) if f.number.column == COLUMN}
        others = [f for name, f in column.items() if name != OWN and f.laptop]
        if not (column[OWN].laptop and others and column["Random"].full):
            return None
        best = max(others, key=lambda f: fmean(m.value for m in f.laptop))
        return cls(column[OWN], best, column["Random"], column["optimal"].number.printed)


if __name__ == "__main__":
    atomic_write(README, updated(README.read_text(encoding="utf-8"), Report.read()))
    print(f"{README.name} says what the finished runs say.")
