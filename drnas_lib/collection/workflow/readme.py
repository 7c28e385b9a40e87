"""The README's tables of claims and results. A command: python -m drnas_lib.collection.workflow.readme"""

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.report import Report
from drnas_lib.collection.paper.verdicts import Finding
from drnas_lib.collection.views.tables import ABSENT

SHOWN = (  # the paper's main results: place, row, column, and how the README names the column
    ("Table 2", "DrNAS", "test_error_pct", "test error (%) on CIFAR-10"),
    ("Table 2", "DrNAS", "params_m", "parameters of the published cell's network (M)"),
    ("Table 4", "DrNAS", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 4", "DrNAS", "cifar100_test", "test accuracy (%) on CIFAR-100"),
    ("Table 4", "DrNAS", "imagenet16-120_test", "test accuracy (%) on ImageNet16-120"),
    ("Table 4", "Random (baseline)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
    ("Table 4", "Reinforce (Zoph et al., 2018)", "cifar10_test", "test accuracy (%) on CIFAR-10"),
)


def lines(report: Report) -> list[str]:
    """The table of results in Markdown, and the sentence under it."""
    rows = [
        "| place | method | number | paper | ours, full length | n | ours, smaller runs | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for place, row, column, name in SHOWN:
        (found,) = [finding for finding in report.of(place) if (finding.number.row, finding.number.column) == (row, column)]
        cells = place, row, name, found.number.printed, found.ours, found.n or ABSENT, _smaller(found), found.verdict.value
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, "", report.opening().data.split("\n\n")[0].replace("**", "")]


def _smaller(found: Finding) -> str:
    """The value of smaller runs, if a run makes the number: a count of a smaller network is no answer."""
    if found.n == "exact":
        return ABSENT
    return f"{found.laptop_text} at the laptop scale" if found.laptop else found.reduced_text or ABSENT


if __name__ == "__main__":
    report = Report.read()
    print("\n".join([*claims.markdown(report.claims), "", *lines(report)]))
