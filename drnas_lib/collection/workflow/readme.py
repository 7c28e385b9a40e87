"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from drnas_lib.benchmark.policies import LABELS
from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import FEWEST, MINUS, judge
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Values, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.files import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
TABLE, COLUMN = "Table 4", "cifar10_test"  # shown in the README; the report has all tables
LAPTOP_SCALE = "[laptop scale](#terms) (a tenth of the images, half the epochs, a small network)"
OWN, QUERIES = "DrNAS", "table_search"  # the paper's method; a run that only queries the table
NO_TRAINING = (
    "These {count} need no trained supernet: they are parameter counts or from the benchmark table, so they say nothing about our DrNAS."
)
RESERVED = "What holds there, with the reservations given in [Terms](#terms) and [Claims](#claims)"
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
    yield r"(At the \w+ scale:\n\n\| verdict \|(.*\n)+\n)*Claims not run yet: .*", "\n".join(claims.markdown(report.claims))
    yield r"\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    head = "**DrNAS' lead.**"
    yield rf"{re.escape(head)} .*", f"{head} {in_short(report)}"
    head = "claims, taken by us from the paper's text, tables and figures.**"
    yield rf"- \*\*\d+ {re.escape(head)}.*", f"- **{len(claims.claims())} {head} {claim_counts(report)}"
    head = "- **Found so far (NAS-Bench-201, CIFAR-10).**"
    yield rf"{re.escape(head)} .*", f"{head} {found_so_far(report)}"
    head = f"- **The paper's {len(report.findings)} printed numbers** are counted apart from the claims, and compared only at full scale."
    yield r"- \*\*The paper's \d+ printed numbers\*\*.*", f"{head} {number_counts(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, how many laptop searches are done, and which claims hold."""
    of, plan = report.claims, Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    searches = f"{sum(done)} of the {len(done)} searches planned at this scale are done"
    at_laptop = f"{claims.counted(of, LAPTOP)} ([table](#claims)); {searches}. {RESERVED}: {claims.held(of, LAPTOP)}"
    return f"At full scale {claims.counted(of, FULL)}. At {LAPTOP_SCALE} {at_laptop}."


def found_so_far(report: Report) -> str:
    """The first screen's comparison of accuracies at the laptop scale."""
    of = Comparison.of(report)
    if of is None:
        return "nothing to compare yet."
    return (
        f"DrNAS is {of.verdict}. Test accuracy in %, mean ± standard deviation over n seeds: *DrNAS* {_beside(of.drnas)}; *random "
        f"search* {of.random.ours}, n = {of.random.n} (paper {of.random.number.printed}); *{of.name}*, the best of the other supernet "
        f"methods here, {_beside(of.best)}. DrNAS and {of.name} ran at laptop scale; random search trains nothing, so scale does not "
        "matter."
    )


def _beside(finding: Finding) -> str:
    """'93.61 ± 0.23, n = 4 (paper 94.36 ± 0.00)'."""
    ours, _, rest = finding.laptop_text.partition(" (")
    return f"{ours}, {rest.rstrip(')')} (paper {finding.number.printed})"


def number_counts(report: Report) -> str:
    """How many numbers have no full-length value of ours, agree with ours, and differ; how many of those that agree are from our runs."""
    counted = Counter(finding.verdict for finding in report.findings)
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    differ = [finding for finding in report.findings if finding.verdict is Verdict.NOT_REPRODUCED]
    trained = sum(run.kind != QUERIES for finding in agree for run in runs(finding.full)[:1])
    networks = f"For {trained} of those that agree we trained a network." if trained else NO_TRAINING.format(count=len(agree) + len(differ))
    left = counted[Verdict.REDUCED_ONLY] + counted[Verdict.NOT_RUN]
    return (
        f"For {left} there is no run at full scale yet. Of the other {len(agree) + len(differ)}, {len(agree)} [agree](#results), "
        f"{counted[Verdict.REPRODUCED]} of them as printed, and {len(differ)} differ. {networks}"
    )


def shown(report: Report) -> list[Finding]:
    """The findings of the README's table of results."""
    return [f for f in report.of(TABLE) if f.number.column == COLUMN and f.number.row not in EXCEPT]


def results(report: Report) -> list[str]:
    """The table of results in Markdown: of each row the full scale where it has runs, else the laptop scale."""
    rows = ["| method | paper | ours | n | scale of ours | comparison |", "|---|---|---|---|---|---|"]
    for f in shown(report):
        cells: tuple[str, ...] = (ABSENT,) * 4
        if f.full:
            cells = f.ours, f.n, FULL, f.verdict.value
        elif f.laptop:
            cells = f.laptop_text.partition(" (")[0], str(len(f.laptop)), LAPTOP, ABSENT
        rows.append(f"| {f.number.row} | {f.number.printed} | {' | '.join(cells)} |")
    return rows


def in_short(report: Report) -> str:
    """By how much DrNAS leads at the laptop scale, and which methods have too few runs for an interval."""
    of = Comparison.of(report)
    if of is None:
        return "nothing to compare yet."
    few = " and ".join(short(f.number.row) for f in shown(report) if 0 < len(f.laptop) < FEWEST)
    more = f" A test that includes {few} has no interval (–), because an interval needs {FEWEST} runs." if few else ""
    queries = [f for f in shown(report) if f.number.row in LABELS.values()]
    rivals = [f for f in shown(report) if not f.number.own and f not in queries]
    over_queries, over_rivals = _lead(of.drnas.laptop, (f.full for f in queries)), _lead(of.drnas.laptop, (f.laptop for f in rivals))
    return (
        f"Over the better of random search and REINFORCE it is {over_queries} points here and {_printed(of.drnas, queries)} in the paper; "
        f"over the best other supernet method {over_rivals} here (over {of.name}) and {_printed(of.drnas, rivals)} in the paper.{more}"
    )


def _lead(ours: Values, others: Iterable[Values]) -> str:
    """Of our mean over the best mean of the others that have runs: '+1.01'."""
    best = max(fmean(m.value for m in values) for values in others if values)
    return f"{fmean(m.value for m in ours) - best:+.2f}".replace("-", MINUS)


def _printed(ours: Finding, others: list[Finding]) -> str:
    """Of the paper's number over its best other: '+0.95 (over PC-DARTS)'."""
    best = max(others, key=lambda f: f.number.value)
    return f"{ours.number.value - best.number.value:+.2f} (over {short(best.number.row)})"


def _than(ours: Values, others: Values) -> str:
    """'better than', 'worse than', or 'not clearly different from' while the interval includes 0."""
    found = judge("difference", {"above": 0}, [[m.value for m in ours]], [[m.value for m in others]])
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return "not clearly different from"
    return "better than" if found.low > 0 else "worse than"


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

    @property
    def verdict(self) -> str:
        """'not clearly different from random search or SNAS'."""
        rival, other = _than(self.drnas.laptop, self.random.full), _than(self.drnas.laptop, self.best.laptop)
        return f"{rival} random search or {self.name}" if rival == other else f"{other} {self.name} and {rival} random search"

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
