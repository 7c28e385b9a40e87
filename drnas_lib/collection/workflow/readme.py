"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import FEWEST, ClaimVerdict
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import FULL, LAPTOP
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
    yield r"\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    yield r"In short: .*", f"In short: {in_short(report)}"
    yield r"- \*\*The paper's \d+ claims:\*\*.*", f"- **The paper's {len(claims.claims())} claims:** {claim_counts(report)}"
    yield r"- \*\*Found so far:\*\*.*", f"- **Found so far:** {found_so_far(report)}"
    yield r"- \*\*The paper's \d+ numbers:\*\*.*", f"- **The paper's {len(report.findings)} numbers:** {number_counts(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, and how many laptop searches are missing."""
    of, plan = report.claims, Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    missing = f"{len(done) - sum(done)} of {len(done)} planned searches are missing"
    return f"at full scale {claims.counted(of, FULL)}. At {LAPTOP_SCALE} {claims.counted(of, LAPTOP)}; {missing}."


def found_so_far(report: Report) -> str:
    """The means at the laptop scale for the first screen."""
    means = Means.of(report)
    if means is None:
        return "nothing to compare yet."
    return (
        "NAS-Bench-201 is a space of 15,625 cells with a published table of their accuracies. There, on CIFAR-10, the cells of our laptop "
        f"searches have: DrNAS {means.drnas:.2f} %, {means.name} (the best other supernet method) {means.best:.2f} %, random search "
        f"{means.random:.2f} %; best possible {means.optimum} %. Random search trains nothing: it reads that table."
    )


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
    """The means at the laptop scale, with the verdicts on the two claims about them."""
    means = Means.of(report)
    if means is None:
        return "nothing to compare yet."
    of = {claim.name: scales[LAPTOP].outcome.verdict for claim, scales in report.claims}
    few = ", ".join(short(f.number.row) for f in shown(report) if 0 < len(f.laptop) < FEWEST)
    return (
        f"at the laptop scale DrNAS is {_above(means.drnas - means.best)} the best other supernet method, {means.name}; that it is better "
        f"than all is {WORDS[of['best_of_table_4']]}{f' (fewer than {FEWEST} runs: {few})' if few else ''}. Random search is "
        f"{_above(means.random - means.drnas)} DrNAS; that DrNAS is better is {WORDS[of['better_than_lookups']]}."
    )


@dataclass(frozen=True)
class Means:
    """Mean accuracies in per cent: of DrNAS and the best other supernet method, both at the laptop scale, and of random search."""

    drnas: float
    best: float
    name: str  # of that other method
    random: float
    optimum: str  # of the benchmark, as the paper prints it

    @classmethod
    def of(cls, report: Report) -> Self | None:
        """None while one of the three has no run."""
        laptop = {short(f.number.row): [m.value for m in f.laptop] for f in shown(report) if f.laptop}
        (random,) = ([m.value for m in f.full] for f in shown(report) if f.number.row.startswith("Random"))
        (optimum,) = (f.number.printed for f in report.of(TABLE) if (f.number.row, f.number.column) == (EXCEPT[1], COLUMN))
        others = {name: values for name, values in laptop.items() if name != OWN}
        if not (OWN in laptop and others and random):
            return None
        best = max(others, key=lambda name: fmean(others[name]))
        return cls(fmean(laptop[OWN]), fmean(others[best]), best, fmean(random), optimum)


def _above(difference: float) -> str:
    return f"{abs(difference):.2f} points {'above' if difference > 0 else 'below'}"


if __name__ == "__main__":
    atomic_write(README, updated(README.read_text(encoding="utf-8"), Report.read()))
    print(f"{README.name} says what the finished runs say.")
