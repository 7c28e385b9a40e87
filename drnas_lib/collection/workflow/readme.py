"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import ClaimVerdict
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import LAPTOP
from drnas_lib.runs.records import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
TABLE, COLUMN = "Table 4", "cifar10_test"  # shown in the README; the report has all tables
LAPTOP_SCALE = "[laptop scale](#words) (a tenth of the images, half the epochs, a small network)"
WORDS = {  # how a sentence says a verdict
    ClaimVerdict.HOLDS: "confirmed",
    ClaimVerdict.DOES_NOT_HOLD: "refuted",
    ClaimVerdict.UNDECIDED: "undecided",
    ClaimVerdict.NOT_RUN: "not tested",
}
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
    yield r"In short.*\n\n\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    yield r"- \*\*The paper's \d+ claims:\*\*.*", f"- **The paper's {len(claims.claims())} claims:** {claim_counts(report)}"
    yield r"- \*\*The paper's \d+ numbers:\*\*.*", f"- **The paper's {len(report.findings)} numbers:** {number_counts(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, the means behind the first of them, and how many laptop searches are finished."""
    said = claims.counted(report.claims).replace("laptop scale", LAPTOP_SCALE)
    means, plan = Means.of(report), Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    return f"{said}; {sum(done)} of the {len(done)} laptop searches are done. {means.status if means else 'Nothing to compare yet.'}"


def number_counts(report: Report) -> str:
    """How many numbers have no full-length value of ours, agree with ours, and differ; how many of those that agree are from our runs."""
    counted = Counter(finding.verdict for finding in report.findings)
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    trained = sum(run.kind != QUERIES for finding in agree for run in runs(finding.full)[:1])
    none = ": parameter counts and look-ups in that table; no network was trained for them"
    networks = f", {trained} of them from trained networks" if trained else none
    return (
        f"{counted[Verdict.REDUCED_ONLY] + counted[Verdict.NOT_RUN]} have no full-size run yet. {len(agree)} agree{networks}. "
        f"{counted[Verdict.NOT_REPRODUCED]} differ, mostly parameter counts that the paper quotes for other methods."
    )


def shown(report: Report) -> list[Finding]:
    """The findings of the README's table of results."""
    return [f for f in report.of(TABLE) if f.number.column == COLUMN and f.number.row not in EXCEPT]


def results(report: Report) -> list[str]:
    """The laptop scale in two sentences, and the table of results in Markdown."""
    rows = ["| method | paper | ours, full size | n | ours, laptop scale | comparison |", "|---|---|---|---|---|---|"]
    for f in shown(report):
        cells = f.number.row, f.number.printed, f.ours, f.n or ABSENT, f.laptop_text or ABSENT, f.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
    means = Means.of(report)
    return [f"In short: {means.in_short(report) if means else 'nothing to compare yet.'}", "", *rows]


@dataclass(frozen=True)
class Means:
    """Mean accuracies in per cent: of DrNAS and of the best other search of a supernet, both at the laptop scale, and of random search."""

    drnas: float
    best: float
    name: str  # of that other method
    n: int  # its runs
    random: float

    @classmethod
    def of(cls, report: Report) -> Self | None:
        """None while one of the three has no run."""
        laptop = {short(f.number.row): [m.value for m in f.laptop] for f in shown(report) if f.laptop}
        (random,) = ([m.value for m in f.full] for f in shown(report) if f.number.row.startswith("Random"))
        others = {name: values for name, values in laptop.items() if name != OWN}
        if not (OWN in laptop and others and random):
            return None
        best = max(others, key=lambda name: fmean(others[name]))
        return cls(fmean(laptop[OWN]), fmean(others[best]), best, len(others[best]), fmean(random))

    @property
    def status(self) -> str:
        """For the first screen."""
        return (
            f"There DrNAS finds cells of {self.drnas:.2f} % on CIFAR-10, the next supernet method ({self.name}) {self.best:.2f} %; random "
            f"search, which reads accuracies of trained cells from a published table, {self.random:.2f} %. All are of that table."
        )

    def in_short(self, report: Report) -> str:
        """With the verdicts on the two claims."""
        of = {claim.name: scales[LAPTOP].outcome.verdict for claim, scales in report.claims}
        lead, ahead = self.drnas - self.best, self.random - self.drnas
        return (
            f"at the laptop scale DrNAS is {_above(lead)} the best other supernet method ({self.name}, n = {self.n}); that it is better is "
            f"{WORDS[of['best_of_table_4']]}. Random search is {_above(ahead)} DrNAS; that DrNAS is better is "
            f"{WORDS[of['better_than_lookups']]}."
        )


def _above(difference: float) -> str:
    return f"{abs(difference):.2f} points {'above' if difference > 0 else 'below'}"


if __name__ == "__main__":
    atomic_write(README, updated(README.read_text(encoding="utf-8"), Report.read()))
    print(f"{README.name} says what the finished runs say.")
