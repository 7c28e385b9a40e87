"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections.abc import Iterator

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Verdict
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.runs.records import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
SHOWN = (  # the paper's main results, and one that differs: place, row, column, and how the README names the column
    ("Table 4", "DrNAS", "cifar10_test", "test accuracy (%), searched on CIFAR-10"),
    ("Table 4", "DrNAS", "cifar100_test", "test accuracy (%), searched on CIFAR-100"),
    ("Table 4", "Random (baseline)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 4", "Reinforce (Zoph et al., 2018)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 2", "DrNAS", "params_m", "parameters of the published cell's network (M)"),
    ("Table 2", "PNAS (Liu et al., 2018)", "params_m", "parameters of the published cell's network (M)"),
)


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
    said, _, *table = claims.markdown(report.claims)
    yield r"- Of the paper's \d+ claims.*", f"- {said}"
    yield r"\| claim of the paper \|(.*\n)+?(?=\n)", "\n".join([*table, ""])
    yield r"- The paper's tables and figures have \d+ numbers.*", f"- {report.opening().data.splitlines()[0].strip('*')}"
    yield r"\| place \| method \|(.*\n)+?(?=\n## )", "\n".join([*results(report), ""])
    plan = Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    yield r"\d+ of \d+ laptop-scale searches", f"{sum(done)} of {len(done)} laptop-scale searches"


def results(report: Report) -> list[str]:
    """The table of results in Markdown, and why a number in it is not reproduced."""
    rows = ["| place | method | number | paper | ours | n | ours at laptop scale | verdict |", "|---|---|---|---|---|---|---|---|"]
    reasons = [""]
    for place, row, column, name in SHOWN:
        (found,) = [finding for finding in report.of(place) if (finding.number.row, finding.number.column) == (row, column)]
        cells = place, row, name, found.number.printed, found.ours, found.n or ABSENT, found.laptop_text or ABSENT, found.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
        if found.verdict is Verdict.NOT_REPRODUCED:
            reasons.append(f"{row}: {found.note}.")
    return rows + (reasons if len(reasons) > 1 else [])


if __name__ == "__main__":
    atomic_write(README, updated(README.read_text(encoding="utf-8"), Report.read()))
    print(f"{README.name} says what the finished runs say.")
