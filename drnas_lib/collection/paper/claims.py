"""The claims of params/paper/claims.json beside the finished runs of each scale, with their verdicts, as tables and for the README."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from IPython.display import Markdown
from pandas.io.formats.style import Styler

from drnas_lib.collection.paper import table_style
from drnas_lib.collection.paper.answers import READERS
from drnas_lib.collection.paper.claim_rules import FEWEST, INTERVAL, MINUS, NAMES, ClaimVerdict, Outcome, Region, judge
from drnas_lib.collection.paper.measured import SCALES, Searches, TableSearch
from drnas_lib.collection.paper.numbers import PAPER
from drnas_lib.collection.paper.verdicts import at_scale
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.runs.files import read_json
from drnas_lib.runs.index import RunIndex

HEADS = ("claim of the paper", "test", "paper", "ours", INTERVAL, "n", "verdict at {} scale")  # of the table of verdicts
MEANT = ("claim", "place in the paper", "what is measured", "remark")  # of the table in docs/claims.md
PLURAL = {ClaimVerdict.HOLDS: "hold", ClaimVerdict.DOES_NOT_HOLD: "do not hold", ClaimVerdict.UNDECIDED: "are undecided"}
MEANINGS = {
    ClaimVerdict.HOLDS.value: f"the whole {INTERVAL} of the statistic lies where the claim is true",
    ClaimVerdict.DOES_NOT_HOLD.value: "all of it lies where the claim is false",
    ClaimVerdict.UNDECIDED.value: f"the interval has a part in both, or a group has fewer than {FEWEST} runs",
    ClaimVerdict.NOT_RUN.value: "a group of searches has no finished run at this scale",
}


@dataclass(frozen=True)
class Claim:
    """A statement of the paper as a test. `of` and `against` are groups of searches, each given by parameters besides the data set."""

    name: str
    statement: str
    place: str
    quantity: str
    value: str
    test: str
    unit: str
    statistic: str
    rule: dict[str, float]
    of: list[dict[str, Any]]
    against: list[dict[str, Any]] = field(default_factory=list)
    paper: float | None = None  # the statistic of the paper's own numbers
    note: str = ""
    in_readme: bool = False  # whether README.md shows it
    dataset: str = "cifar10"

    def __post_init__(self):
        """Raises ValueError for a claim that nothing can judge."""
        if self.value not in READERS or self.statistic not in NAMES:
            raise ValueError(f"claim {self.name!r}: allowed are values {', '.join(READERS)} and statistics {', '.join(NAMES)}")

    @property
    def rule_text(self) -> str:
        """'lead over the best of them > 0 points'."""
        return f"{self.test} {Region(**self.rule)} {self.unit}".strip()


@dataclass(frozen=True)
class ClaimResult:
    """The verdict on a claim at a scale; `runs` is how many a group has, '4', or '4 and 500' where they differ."""

    outcome: Outcome
    runs: str

    @property
    def has_runs(self) -> bool:
        """Whether every group has a run."""
        return self.outcome.verdict is not ClaimVerdict.NOT_RUN

    @property
    def value(self) -> str:
        """'0.62', or empty."""
        return _rounded(self.outcome.value)

    @property
    def interval(self) -> str:
        """'0.21 to 1.04', or empty."""
        ends = _rounded(self.outcome.low), _rounded(self.outcome.high)
        return " to ".join(ends) if all(ends) else ""

    @property
    def numbers(self) -> str:
        """'0.62, 95 % interval 0.21 to 1.04, n = 4'; empty where nothing was run."""
        interval = f"{INTERVAL} {self.interval}" if self.interval else ""
        return ", ".join(filter(None, [self.value, interval, f"n = {self.runs}"])) if self.has_runs else ""


Judged = list[tuple[Claim, dict[str, ClaimResult]]]  # each claim with its result at each scale


def _rounded(value: float | None) -> str:
    """Two decimals, one digit of a value below 0.01, with a minus sign, which the difference of two names has too; empty for None."""
    if value is None:
        return ""
    return (f"{value:.2f}" if abs(value) >= 0.01 else f"{value:.1g}").replace("-", MINUS)


def claims() -> list[Claim]:
    """As params/paper/claims.json has them. Raises RecordError, ValueError."""
    file = read_json(PAPER / "claims.json")
    return [Claim(**entry, dataset=file["dataset"]) for entry in file["claims"]]


def judge_claims(results: RunIndex) -> Judged:
    """The verdict on each claim at each scale, in the order of the file."""
    return [(claim, {scale: _judged(claim, scale, results) for scale in SCALES}) for claim in claims()]


def _judged(claim: Claim, scale: str, results: RunIndex) -> ClaimResult:
    of, against = ([_values(claim, scale, group, results) for group in side] for side in (claim.of, claim.against))
    counts = sorted({len(group) for group in (*of, *against)})
    return ClaimResult(judge(claim.statistic, claim.rule, of, against), " and ".join(str(count) for count in counts))


def _values(claim: Claim, scale: str, given: dict[str, Any], results: RunIndex) -> list[float]:
    """The values of one group of searches, one a seed, or of a search on the benchmark's table, which has no scale."""
    if "lookup" in given:
        found = TableSearch(claim.dataset, given["lookup"], "test").values(results)
    else:
        found = list(at_scale(Searches.of(READERS[claim.value], dataset=claim.dataset, **given).values(results), scale))
    return [measured.value for measured in found]


def table(found: Judged) -> pd.DataFrame:
    """A row for each claim: place, statistic and rule; at each scale the verdict and the numbers behind it."""
    rows = []
    for claim, scales in found:
        row = {
            "claim": claim.statement,
            "place": claim.place,
            "statistic": claim.quantity,
            "rule": claim.rule_text,
            "paper": _rounded(claim.paper),
        }
        for scale, result in scales.items():
            row |= {f"{scale} scale": result.outcome.verdict.value, f"{scale} scale: value": result.numbers}
        rows.append(row | {"note": claim.note})
    return pd.DataFrame(rows).set_index("claim").rename_axis(index=None)


def shown(found: Judged) -> Styler:
    """The same as a notebook shows it."""
    return table_style.styled(table(found))


def legend() -> Styler:
    """A line for each verdict on a claim with its meaning."""
    return table_style.legend(MEANINGS)


def counted(found: Judged, scale: str) -> str:
    """'1 holds, 9 undecided', or 'none is tested'."""
    counts = Counter(scales[scale].outcome.verdict for _, scales in found)
    if counts[ClaimVerdict.NOT_RUN] == counts.total():
        return "none is tested"
    words = ((counts[verdict], PLURAL.get(verdict, verdict) if counts[verdict] > 1 else verdict) for verdict in ClaimVerdict)
    return ", ".join(f"{count} {word}" for count, word in words if count)


def held(found: Judged, scale: str) -> str:
    """The claims that hold at a scale, in words."""
    holding = [f"*{claim.statement}*" for claim, scales in found if scales[scale].outcome.verdict is ClaimVerdict.HOLDS]
    return "; ".join(holding) or "nothing yet"


def sentence(found: Judged) -> Markdown:
    """How many claims hold at each scale."""
    each = "; ".join(f"at {scale} scale {counted(found, scale)}" for scale in SCALES)
    return Markdown(f"**Of the paper's {len(found)} claims, {each}.**")


def claim_lines(found: Judged) -> list[str]:
    """The claims for a terminal."""
    lines = [sentence(found).data.strip("*")]
    for claim, scales in found:
        lines.append(f"\n{claim.place}: {claim.statement} ({claim.quantity}; {claim.rule_text})")
        for scale, result in scales.items():
            lines.append(f"  {scale}: {result.outcome.verdict}" + (f" ({result.numbers})" if result.numbers else ""))
    return lines


def markdown(found: Judged, heads: Sequence[str] = HEADS) -> list[str]:
    """For README.md and docs/claims.md: a table of what was judged at each scale, the decided claims first, and the claims without runs.

    `heads` are those of HEADS that the table shows.
    """
    lines, order = [], list(ClaimVerdict)
    for scale in SCALES:
        run = [(claim, scales[scale]) for claim, scales in found if scales[scale].has_runs]
        lines += _head([head.format(scale) for head in heads]) if run else []
        for claim, result in sorted(run, key=lambda one: order.index(one[1].outcome.verdict)):
            paper, verdict = _rounded(claim.paper), result.outcome.verdict.value
            cells = claim.statement, claim.rule_text, paper, result.value, result.interval, result.runs, verdict
            lines.append(_row([cell for head, cell in zip(HEADS, cells) if head in heads]))
        lines += [""] if run else []
    left = [claim for claim, scales in found if not any(result.has_runs for result in scales.values())]
    listed = "; ".join(f"*{claim.statement}*" for claim in left)
    return [*lines, f"Not run yet: {listed}.", ""] if listed else lines


def meaning() -> list[str]:
    """For docs/claims.md: a table of where each claim stands in the paper, and what is measured."""
    rows = (_row((claim.statement, claim.place, claim.quantity, claim.note)) for claim in claims())
    return [*_head(MEANT), *rows]


def _head(names: Sequence[str]) -> list[str]:
    return [_row(names), f"|{'---|' * len(names)}"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell or ABSENT for cell in cells)} |"
