"""The paper's claims (params/paper/claims.json, a statement and a rule each), judged by the finished runs of each scale."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from drnas_lib.collection.paper.claim_rules import NAMES, Outcome, Region, judge
from drnas_lib.collection.paper.findings import Values, at_scale
from drnas_lib.collection.paper.numbers import PAPER
from drnas_lib.collection.paper.readers import READERS
from drnas_lib.collection.paper.sources import SCALES, Searches, TableSearch
from drnas_lib.runs.index import RunIndex
from drnas_lib.runs.records import read_json


@dataclass(frozen=True)
class Claim:
    """A statement of the paper as a test. `of` and `against` are groups of searches, each given by parameters besides the data set."""

    name: str
    statement: str
    place: str
    quantity: str
    value: str
    statistic: str
    rule: dict[str, float]
    of: list[dict[str, Any]]
    against: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""
    dataset: str = "cifar10"

    def __post_init__(self):
        """Raises ValueError for a claim that nothing can judge."""
        if self.value not in READERS or self.statistic not in NAMES:
            raise ValueError(f"claim {self.name!r}: allowed are values {', '.join(READERS)} and statistics {', '.join(NAMES)}")

    @property
    def rule_text(self) -> str:
        """'lead over the best above 0'."""
        return f"{self.statistic} {Region(**self.rule)}"


@dataclass(frozen=True)
class ClaimResult:
    """A claim at a scale: `of` and `against` hold the values of each group, one a seed."""

    claim: Claim
    scale: str
    of: tuple[Values, ...]
    against: tuple[Values, ...]

    @cached_property
    def outcome(self) -> Outcome:
        of, against = ([[m.value for m in group] for group in groups] for groups in (self.of, self.against))
        return judge(self.claim.statistic, self.claim.rule, of, against)

    @property
    def runs(self) -> str:
        """'4', or '4 to 500' where groups have different numbers."""
        counts = sorted({len(group) for group in (*self.of, *self.against)})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    @property
    def numbers(self) -> str:
        """'0.62, 95 % interval 0.21 to 1.04, n = 4'; empty where nothing was run."""
        outcome = self.outcome
        if outcome.value is None:
            return f"n = {self.runs}" if self.runs != "0" else ""
        if outcome.low is None or outcome.high is None:
            return f"{_rounded(outcome.value)}, n = {self.runs}"
        return f"{_rounded(outcome.value)}, 95 % interval {_rounded(outcome.low)} to {_rounded(outcome.high)}, n = {self.runs}"


def _rounded(value: float) -> str:
    """Three significant digits, two decimals at most where it is large."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def claims() -> list[Claim]:
    """As params/paper/claims.json has them. Raises RecordError, ValueError."""
    file = read_json(PAPER / "claims.json")
    return [Claim(**entry, dataset=file["dataset"]) for entry in file["claims"]]


def judge_claims(results: RunIndex) -> list[ClaimResult]:
    """Each claim at each scale, in the order of the file."""
    return [
        ClaimResult(claim, scale, *(tuple(_values(claim, scale, group, results) for group in side) for side in (claim.of, claim.against)))
        for claim in claims()
        for scale in SCALES
    ]


def _values(claim: Claim, scale: str, given: dict[str, Any], results: RunIndex) -> Values:
    """The values of one group of searches, or of a search on the benchmark's table, which has no scale."""
    if "lookup" in given:
        return tuple(TableSearch(claim.dataset, given["lookup"], "test").values(results))
    return at_scale(Searches.of(READERS[claim.value], dataset=claim.dataset, **given).values(results), scale)


def by_claim(found: Iterable[ClaimResult]) -> Iterator[tuple[Claim, dict[str, ClaimResult]]]:
    """Each claim of `judge_claims` with its result at each scale."""
    for _, group in groupby(found, key=lambda result: result.claim.name):
        scales = {result.scale: result for result in group}
        yield scales[SCALES[0]].claim, scales
