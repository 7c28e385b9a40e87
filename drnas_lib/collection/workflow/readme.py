"""The claims and results in README.md, made from the finished runs. A command: python -m drnas_lib.collection.workflow.readme"""

import re
from collections.abc import Iterator
from io import BytesIO

import pandas as pd
from matplotlib.figure import Figure

from drnas_lib.collection.paper import claims
from drnas_lib.collection.paper.claim_rules import judge
from drnas_lib.collection.paper.report import Report, provenance
from drnas_lib.collection.paper.verdicts import Finding, Values, Verdict, runs
from drnas_lib.collection.views.comparison_plots import seeds_against_optimum, short
from drnas_lib.collection.views.published import paper_table
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.collection.workflow.campaign import Plan, files
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.files import PROJECT, RunFolder, atomic_write

README = PROJECT / "README.md"
CLAIMS_PAGE = PROJECT / "docs" / "claims.md"
PICTURE = PROJECT / "results" / "figures" / "table_4.png"
TABLE, DATASET, COLUMN = "Table 4", "cifar10", "cifar10_test"  # shown in the README; the report has all tables
ZOOM = (92.0, 94.5)  # per cent: where most methods of the paper lie
PROGRESSIVE = "cifar10, progressive", "test_accuracy_pct"  # row and column of Table 1
OWN, QUERIES = "DrNAS", "table_search"  # the paper's method; a run that only queries the table
FAR = "docs/far_from_the_paper.md#the-progressive-search-full-scale"
VERDICTS = r"(\| claim of the paper .*\n(\|.*\n)+\n|Not run yet: .*\n\n)+(?=- )"  # the table, or tables, and the list after it
IN_README = tuple(head for head in claims.HEADS if head != "n")
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
    yield VERDICTS, "\n".join([*claims.markdown([one for one in report.claims if one[0].in_readme], IN_README), ""])
    yield r"\| method \| paper \|(.*\n)+?(?=\n)", "\n".join([*results(report), ""])
    for head, part in (("Claims", claim_counts), ("Accuracy", found_so_far), ("Full size", full_size), ("Numbers", number_counts)):
        yield rf"- \*{head}\.\* .*", f"- *{head}.* {part(report)}"


def claim_counts(report: Report) -> str:
    """How many claims have which verdict at each scale, and which ones hold; how many laptop searches are done, until all are."""
    of, plan = report.claims, Plan(results=str(report.results.root))
    done = [RunFolder(plan.search(file, seed).folder).done for file in files(plan) for seed in plan.seeds]
    searches = "" if all(done) else f" {len(done) - sum(done)} of the {len(done)} searches planned at this scale are still to be made."
    return (
        f"We test {len(of)} claims of the paper ([table](#claims)). For searches at the laptop scale {claims.counted(of, LAPTOP)}; at full "
        f"scale {claims.counted(of, FULL)}. Those that hold: {claims.held(of, LAPTOP)}. With so many tests "
        f"one may hold by chance.{searches}"
    )


def found_so_far(report: Report) -> str:
    """The first screen's comparison of accuracies, at the largest scale at which DrNAS was run."""
    column = {short(f.number.row): f for f in shown(report)}
    drnas, random = column[OWN], column["Random"]
    scale, ours, text = (FULL, drnas.full, drnas.ours) if drnas.full else (LAPTOP, drnas.laptop, drnas.laptop_ours)
    if not (ours and random.full):
        return "Nothing to compare yet."
    return (
        f"DrNAS reaches {text} % at the {scale} scale (mean ± standard deviation over seeds, n = {len(ours)}), in the paper "
        f"{drnas.number.printed}. Random search, which looks up 100 cells and keeps the best by validation accuracy, reaches "
        f"{random.ours} % (n = {random.n}), in the paper {random.number.printed}. {_compared(ours, random.full)}"
    )


def full_size(report: Report) -> str:
    """The progressive search of Table 1 at full scale."""
    (found,) = [f for f in report.of("Table 1") if (f.number.row, f.number.column) == PROGRESSIVE]
    if not found.full:
        return "No progressive search is finished at full scale yet."
    behind = provenance(found.full)
    why = f" ([what we found]({FAR}))" if found.verdict is Verdict.NOT_REPRODUCED else ""
    return (
        f"The progressive search of DrNAS (protocol `paper`, CIFAR-10, K = 8, then 4) finds cells of {found.ours} % test accuracy at full "
        f"scale (n = {found.n}), in the paper {found.number.printed}: {found.verdict}{why}. One search took {behind['hours each']} hours "
        f"of wall time on {behind['device']}."
    )


def number_counts(report: Report) -> str:
    """How many numbers have a full-length value of ours, agree with it, and differ; how many of those that agree are from our runs."""
    agree = [finding for finding in report.findings if finding.verdict in (Verdict.REPRODUCED, Verdict.WITHIN_SPREAD)]
    differ = [finding for finding in report.findings if finding.verdict is Verdict.NOT_REPRODUCED]
    trained = sum(run.kind != QUERIES for finding in (*agree, *differ) for run in runs(finding.full)[:1])
    searched = f"{trained} of them {'comes' if trained == 1 else 'come'} from networks that we trained. The others need none"
    source = searched if trained else "They need no supernet"
    counts = sum(finding.number.column == "params_m" for finding in differ)
    return (
        f"The paper prints {len(report.findings)} numbers. At full scale we have {len(agree) + len(differ)} of them. {source}: "
        "they are parameter counts, or accuracies that are looked up. "
        f"{len(agree)} agree with the paper, by [rules](docs/results.md#beside-the-paper) such as: the same after rounding, or no further "
        f"away than the paper's standard deviation. {len(differ)} differ, {counts} of them counts of parameters ([why](#results))."
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


def picture(report: Report) -> Figure:
    """The table of results as a figure: every seed of ours beside the paper's mean and standard deviation."""
    rows = [
        {"label": f.number.row, "dataset": DATASET, "test_acc_pct": measured.value, "reduced": "" if f.full else LAPTOP}
        for f in shown(report)
        for measured in f.full or f.laptop
    ]
    return seeds_against_optimum(pd.DataFrame(rows), paper_table(4)["rows"], [f.number.row for f in shown(report)], ZOOM)


def _compared(ours: Values, others: Values) -> str:
    """Whether DrNAS is better or worse than random search; neither while the interval of the difference includes 0."""
    found = judge("difference", {"above": 0}, [[m.value for m in ours]], [[m.value for m in others]])
    if found.low is None or found.high is None:
        return "These are too few seeds to say which is better."
    than = "not clearly different from" if found.low <= 0 <= found.high else "better than" if found.low > 0 else "worse than"
    return f"So here DrNAS is {than} random search."


if __name__ == "__main__":
    report = Report.read()
    atomic_write(README, updated(README.read_text(encoding="utf-8"), report))
    image = BytesIO()
    picture(report).savefig(image, format="png", dpi=110, metadata={"Software": None})
    atomic_write(PICTURE, image.getvalue())
    atomic_write(CLAIMS_PAGE, explained(CLAIMS_PAGE.read_text(encoding="utf-8"), report))
    print(f"{README.name}, {PICTURE.name} and {CLAIMS_PAGE.name} say what the finished runs say.")
