"""The README's tables of claims and results. A command: python -m drnas_lib.collection.workflow.readme"""

from drnas_lib.collection.paper.claim_tables import markdown
from drnas_lib.collection.paper.findings import Finding
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.views.tables import ABSENT

TEST = ("cifar10_test", "cifar100_test", "imagenet16-120_test")
ON_201 = "test accuracy (%) on CIFAR-10 / CIFAR-100 / ImageNet16-120"
SHOWN = (  # what the paper is known for, and what has a result here: place, row, columns, and what these are called
    ("Table 1", "cifar10, progressive", ("test_accuracy_pct", "gpu_memory_mb"), "test accuracy (%) / GPU memory (MB)"),
    ("Table 2", "DrNAS", ("test_error_pct", "params_m"), "CIFAR-10 test error (%) / parameters (M)"),
    ("Table 3", "DrNAS", ("top1_error_pct", "top5_error_pct", "params_m"), "ImageNet top-1 / top-5 error (%) / parameters (M)"),
    ("Table 4", "DrNAS", TEST, ON_201),
    ("Table 4", "Random (baseline)", TEST, ON_201),
    ("Table 4", "Reinforce (Zoph et al., 2018)", TEST, ON_201),
)


def claims(report: Report) -> list[str]:
    """The table of claims in Markdown."""
    return markdown(report.claims)


def lines(report: Report) -> list[str]:
    """The table of results in Markdown, and the sentence under it."""
    rows = [_row(*shown, report) for shown in SHOWN]
    said = report.opening().data.split("\n\n")[0].replace("**", "")
    return ["| what | paper | ours | verdict |", "|---|---|---|---|", *rows, "", said]


def _row(place: str, row: str, columns: tuple[str, ...], called: str, report: Report) -> str:
    found = {finding.cell.column: finding for finding in report.of(place) if finding.cell.row == row}
    these = [found[column] for column in columns]
    cells = (f"{place}, {row}: {called}", _joined([f.cell.printed for f in these]), _ours(these), _joined([f.verdict.value for f in these]))
    return f"| {' | '.join(cells)} |"


def _ours(these: list[Finding]) -> str:
    runs = {finding.n for finding in these if finding.n.isdigit()}
    return _joined([finding.ours for finding in these]) + (f" (n = {', '.join(sorted(runs))})" if runs else "")


def _joined(values: list[str]) -> str:
    """'a / b', or 'a' where all are the same."""
    return values[0] if len(set(values)) == 1 and values[0] != ABSENT else " / ".join(values)


if __name__ == "__main__":
    report = Report.read()
    print("\n".join([*claims(report), "", *lines(report)]))
