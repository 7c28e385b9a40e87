"""The README's tables of claims and results. A command: python -m drnas_lib.collection.workflow.readme"""

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Verdict
from drnas_lib.collection.views.tables import ABSENT

SHOWN = (  # the paper's main results, and one that differs: place, row, column, and how the README names the column
    ("Table 4", "DrNAS", "cifar10_test", "test accuracy (%), searched on CIFAR-10"),
    ("Table 4", "DrNAS", "cifar100_test", "test accuracy (%), searched on CIFAR-100"),
    ("Table 4", "Random (baseline)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 4", "Reinforce (Zoph et al., 2018)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 2", "DrNAS", "params_m", "parameters of the published cell's network (M)"),
    ("Table 2", "PNAS (Liu et al., 2018)", "params_m", "parameters of the published cell's network (M)"),
)


def lines(report: Report) -> list[str]:
    """How many numbers have which verdict; the table of results in Markdown, and why a number in it is not reproduced."""
    rows = [
        "| place | method | number | paper | ours | n | ours at laptop scale | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    reasons = []
    for place, row, column, name in SHOWN:
        (found,) = [finding for finding in report.of(place) if (finding.number.row, finding.number.column) == (row, column)]
        cells = place, row, name, found.number.printed, found.ours, found.n or ABSENT, found.laptop_text or ABSENT, found.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
        if found.verdict is Verdict.NOT_REPRODUCED:
            reasons.append(f"{row}: {found.note}.")
    return [report.opening().data.split("\n\n")[0].strip("*"), "", *rows, "", *reasons]


if __name__ == "__main__":
    report = Report.read()
    print("\n".join([*claims.markdown(report.claims), "", *lines(report)]))
