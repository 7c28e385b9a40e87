"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.runs.records import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
TABLE, COLUMN = "Table 4", "cifar10_test"  # shown in the README; the report has all tables
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
    """How many claims have which verdict at each scale, and how many of the searches of `make laptop` are finished."""
    plan = Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    said = claims.counted(report.claims).replace("laptop scale", "laptop scale (a tenth of the images, half the epochs, a small network)")
    return f"{said}. {sum(done)} of {len(done)} laptop-scale searches are done."


def number_counts(report: Report) -> str:
    """How many numbers agree with ours, differ and have no full-length value of ours; how many of those that agree are from our runs."""
    counted = Counter(finding.verdict for finding in report.findings)
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    trained = sum(run.kind != QUERIES for finding in agree for run in runs(finding.full)[:1])
    return (
        f"{len(agree)} agree with ours (counted sizes, queries of a published table, {trained or 'none'} from training a network); "
        f"{counted[Verdict.NOT_REPRODUCED]} differ, mostly sizes that the paper quotes for other methods; "
        f"{counted[Verdict.REDUCED_ONLY] + counted[Verdict.NOT_RUN]} have no full-size run."
    )


def results(report: Report) -> list[str]:
    """The laptop scale in a sentence, and the table of results in Markdown."""
    shown = [f for f in report.of(TABLE) if f.number.column == COLUMN and f.number.row not in EXCEPT]
    rows = ["| method | paper | ours, full size | n | ours, laptop scale | verdict |", "|---|---|---|---|---|---|"]
    for f in shown:
        cells = f.number.row, f.number.printed, f.ours, f.n or ABSENT, f.laptop_text or ABSENT, f.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
    return [in_short(shown), "", *rows]


def in_short(shown: list[Finding]) -> str:
    """How DrNAS compares at the laptop scale with the best other search, and with the searches of the benchmark table."""
    laptop = {short(f.number.row): fmean(m.value for m in f.laptop) for f in shown if f.laptop}
    queries = {short(f.number.row): fmean(m.value for m in f.full) for f in shown if f.full and runs(f.full)[0].kind == QUERIES}
    others = {name: mean for name, mean in laptop.items() if name != OWN}
    if OWN not in laptop or not others:
        return "In short: nothing to compare yet."
    best = max(others, key=lambda name: others[name])
    (n,) = [len(f.laptop) for f in shown if short(f.number.row) == best]
    reached = " and ".join(f"{mean:.2f} % ({name})" for name, mean in queries.items()) or "nothing yet"
    return (
        f"In short, on average at the laptop scale: DrNAS {laptop[OWN]:.2f} %, the best other search of a supernet {others[best]:.2f} % "
        f"({best}, n = {n}). Queries of the table alone reach {reached}."
    )


if __name__ == "__main__":
    atomic_write(README, updated(README.read_text(encoding="utf-8"), Report.read()))
    print(f"{README.name} says what the finished runs say.")
