"""The README's tables of claims and results. A command: python -m drnas_lib.collection.workflow.readme"""

from drnas_lib.collection.paper import claim_tables
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.views.tables import ABSENT

TEST = ("cifar10_test", "cifar100_test", "imagenet16-120_test")
ON_201 = "test accuracy (%) on CIFAR-10 / CIFAR-100 / ImageNet16-120"
SHOWN = (  # the paper's main results, and what has a result here: place, row, columns, and the heading of these
    ("Table 1", "cifar10, progressive", ("test_accuracy_pct", "gpu_memory_mb"), "test accuracy (%) / GPU memory (MB)"),
    ("Table 2", "DrNAS", ("test_error_pct", "params_m"), "CIFAR-10 test error (%) / parameters (M)"),
    ("Table 3", "DrNAS", ("top1_error_pct", "top5_error_pct", "params_m"), "ImageNet top-1 / top-5 error (%) / parameters (M)"),
    ("Table 4", "DrNAS", TEST, ON_201),
    ("Table 4", "Random (baseline)", TEST, ON_201),
    ("Table 4", "Reinforce (Zoph et al., 2018)", TEST, ON_201),
)


def lines(report: Report) -> list[str]:
    """The table of results in Markdown, and the sentence under it."""
    rows = ["| what | paper | ours | verdict |", "|---|---|---|---|"]
    for place, row, columns, heading in SHOWN:
        of_row = {finding.number.column: finding for finding in report.of(place) if finding.number.row == row}
        found = [of_row[column] for column in columns]
        seeds = sorted({finding.n for finding in found if finding.n.isdigit()})
        ours = _joined([finding.ours for finding in found]) + (f" (n = {', '.join(seeds)})" if seeds else "")
        printed, verdicts = _joined([finding.number.printed for finding in found]), _joined([finding.verdict.value for finding in found])
        rows.append(f"| {place}, {row}: {heading} | {printed} | {ours} | {verdicts} |")
    return [*rows, "", report.opening().data.split("\n\n")[0].replace("**", "")]


def _joined(values: list[str]) -> str:
    """'a / b', or 'a' where all are the same."""
    return values[0] if len(set(values)) == 1 and values[0] != ABSENT else " / ".join(values)


if __name__ == "__main__":
    report = Report.read()
    print("\n".join([*claim_tables.markdown(report.claims), "", *lines(report)]))
