"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections import Counter
from collections.abc import Iterator

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import judge
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding, Values, Verdict, runs
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.files import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
CLAIMS_PAGE = PROJECT / "docs" / "claims.md"
TABLE, COLUMN = "Table 4", "cifar10_test"  # shown in the README; the report has all tables
OWN, QUERIES = "DrNAS", "table_search"  # the paper's method; a run that only queries the table
NO_TRAINING = "These need no supernet: they are parameter counts, or come from the benchmark table."
VERDICTS = r"(\| verdict at .*\n(\|.*\n)+\n|Not run yet: .*\n\n)+(?=- )"  # the table, or tables, and the list after it
EXCEPT = ("ResNet (He et al., 2016)", "optimal")  # rows that nobody searches


def updated(text: str, report: Report) -> str:
    """The README `text` with what the finished runs say now. Raises ValueError where a part of it cannot be found."""
    for pattern, new in _parts(report):
        text = _replaced(text, pattern, new)
    return text


def explained(text: str, report: Report) -> str:
    """The `text` of docs/claims.md with all verdicts, and what each claim measures. Raises ValueError where a table cannot be found."""
    text = _replaced(text, VERDICTS, "\n".join([*claims.markdown(report.claims), ""]))
    return _replaced(text, r"\| claim \|(.*\n)+?(?=\n)", "\n".join([*claims.meaning(), ""]))


def _replaced(text: str, pattern: str, new: str) -> str:
    places = list(re.finditer(pattern, text))
    if len(places) != 1:
        raise ValueError(
            f"The page needs one place for {pattern!r}, and has {len(places)}. Restore this part with git, and repeat the command."
        )
    return text[: places[0].start()] + new + text[places[0].end() :]


def _parts(report: Report) -> Iterator[tuple[str, str]]:
    """A pattern for each part of the README, and the text that takes its place."""
    yield VERDICTS, "\n".join([*claims.markdown([one for one in report.claims if one[0].in_readme]), ""])
    yield r"\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    for head, part in (("Claims", claim_counts), ("Accuracy", found_so_far), ("Numbers", number_counts)):
        yield rf"- \*{head}\.\* .*", f"- *{head}.* {part(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, and which ones hold; how many laptop searches are done, until all are."""
    of, plan = report.claims, Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    searches = "" if all(done) else f" {len(done) - sum(done)} of the {len(done)} searches planned at this scale are still to be made."
    return (
        f"We test {len(of)} claims of the paper. At the laptop scale {claims.counted(of, LAPTOP)}; at full scale "
        f"{claims.counted(of, FULL)} ([table](#claims)). Those that hold, at this scale only: {claims.held(of, LAPTOP)}. With so many "
        f"tests, a verdict may be due to chance.{searches}"
    )


def found_so_far(report: Report) -> str:
    """The first screen's comparison of accuracies, at the largest scale at which DrNAS was run."""
    column = {short(f.number.row): f for f in shown(report)}
    drnas, random = column[OWN], column["Random"]
    scale, ours, text = (FULL, drnas.full, drnas.ours) if drnas.full else (LAPTOP, drnas.laptop, drnas.laptop_ours)
    if not (ours and random.full):
        return "Nothing to compare yet."
    return (
        f"On CIFAR-10 the cells that DrNAS finds at the {scale} scale have a test accuracy of {text} % ({len(ours)} seeds; paper "
        f"{drnas.number.printed}; ± is the standard deviation). Random search needs no supernet: it looks up 100 cells in the benchmark "
        f"table and keeps the best by validation accuracy after 12 epochs. It reaches {random.ours} % ({random.n} seeds; paper "
        f"{random.number.printed}). So DrNAS is {_than(ours, random.full)} random search here ([all methods](#results))."
    )


def number_counts(report: Report) -> str:
    """How many numbers have a full-length value of ours, agree with it, and differ; how many of those that agree are from our runs."""
    counted = Counter(finding.verdict for finding in report.findings)
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    trained = sum(run.kind != QUERIES for finding in agree for run in runs(finding.full)[:1])
    networks = f"For {trained} of those we trained a network." if trained else NO_TRAINING
    differ = counted[Verdict.NOT_REPRODUCED]
    return (
        f"At full scale we have {len(agree) + differ} of the {len(report.findings)} numbers that the paper prints. {networks} "
        f"{len(agree)} agree, {counted[Verdict.REPRODUCED]} of them as printed, and {differ} differ ([why](#results))."
    )


def shown(report: Report) -> list[Finding]:
    """The findings of the README's table of results."""
    return [f for f in report.of(TABLE) if f.number.column == COLUMN and f.number.row not in EXCEPT]


def results(report: Report) -> list[str]:
    """The table of results in Markdown: of each row the full scale where it has runs, else the laptop scale."""
    rows = ["| method | paper | ours | n | scale of our search | comparison |", "|---|---|---|---|---|---|"]
    for f in shown(report):
        cells: tuple[str, ...] = (ABSENT,) * 4
        if f.full:
            cells = f.ours, f.n, FULL, f.verdict.value
        elif f.laptop:
            cells = f.laptop_ours, str(len(f.laptop)), LAPTOP, ABSENT
        rows.append(f"| {f.number.row} | {f.number.printed} | {' | '.join(cells)} |")
    return rows


def _than(ours: Values, others: Values) -> str:
    """'better than', 'worse than', or 'not clearly different from' while the interval includes 0."""
    found = judge("difference", {"above": 0}, [[m.value for m in ours]], [[m.value for m in others]])
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return "not clearly different from"
    return "better than" if found.low > 0 else "worse than"


if __name__ == "__main__":
    report = Report.read()
    atomic_write(README, updated(README.read_text(encoding="utf-8"), report))
    atomic_write(CLAIMS_PAGE, explained(CLAIMS_PAGE.read_text(encoding="utf-8"), report))
    print(f"{README.name} and {CLAIMS_PAGE.name} say what the finished runs say.")
