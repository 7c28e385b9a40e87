"""The paper's claims (params/paper/claims.json) judged by the finished runs of each scale: files in, verdicts out. No torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drnas_lib.collection.paper import figure_sources as figures
from drnas_lib.collection.paper.cell_sources import test_accuracy
from drnas_lib.collection.paper.claim_rules import NAMES, ClaimVerdict, Outcome, Region, judge
from drnas_lib.collection.paper.findings import one_a_seed
from drnas_lib.collection.paper.numbers import PAPER
from drnas_lib.collection.paper.sources import LookedUp, Searched
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.genotype import GenotypeError, Nb201Genotype
from drnas_lib.runs.index import Measured, Run, RunIndex
from drnas_lib.runs.records import read_json

SCALES = (FULL, LAPTOP)  # at which claims are judged; a smoke run says nothing
CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")


def parameter_free(run: Run) -> float | None:
    """Share of a NAS-Bench-201 cell's edges that have no convolution."""
    try:
        edges = Nb201Genotype.parse(run.record["genotype"]).operations
    except GenotypeError:
        return None
    return sum(operation not in CONVOLUTIONS for operation in edges) / len(edges)


def activation_mb(run: Run) -> float | None:
    """What a weight step keeps for its backward pass, in the stage that keeps most."""
    return max((stage["activation_mb"] for stage in run.record["stages"] if stage.get("activation_mb")), default=None)


VALUES: dict[str, Callable[[Run], float | None]] = {  # what a claim reads of each run; None where the run does not have it
    "test_accuracy": test_accuracy,
    "parameter_free": parameter_free,
    "activation_mb": activation_mb,
    "eigenvalue_growth": figures.growth,
    "eigenvalue_at_the_end": figures.at_the_end,
    "range_ratio": figures.range_ratio,
    "mean_against_best": figures.mean_against_best,
}


@dataclass(frozen=True)
class Claim:
    """A statement of the paper as a test. `of` and `against` are groups of searches: parameters besides the data set."""

    name: str
    statement: str
    place: str
    quantity: str
    value: str
    statistic: str
    rule: dict[str, float]
    scales: tuple[str, ...]
    of: tuple[dict[str, Any], ...]
    against: tuple[dict[str, Any], ...] = ()
    note: str = ""
    dataset: str = "cifar10"

    def __post_init__(self):
        """Raises ValueError for a claim that nothing can judge."""
        if self.value not in VALUES or self.statistic not in NAMES or not set(self.scales) <= set(SCALES):
            raise ValueError(f"claim {self.name!r}: allowed are values {', '.join(VALUES)}, statistics {', '.join(NAMES)}, scales {SCALES}")

    @property
    def rule_text(self) -> str:
        """'lead over the best above 0'."""
        return f"{self.statistic} {Region(**self.rule)}"


@dataclass(frozen=True)
class ClaimResult:
    """A claim at a scale: `of` and `against` hold the values of each group, one a seed."""

    claim: Claim
    scale: str
    of: tuple[tuple[Measured, ...], ...]
    against: tuple[tuple[Measured, ...], ...]

    @cached_property
    def outcome(self) -> Outcome:
        if self.scale not in self.claim.scales:
            return Outcome(ClaimVerdict.NOT_RUN)
        of, against = ([[m.value for m in group] for group in groups] for groups in (self.of, self.against))
        return judge(self.claim.statistic, self.claim.rule, of, against)

    @property
    def runs(self) -> str:
        """'4', or '4 to 500' where groups have different numbers."""
        counts = sorted({len(group) for group in (*self.of, *self.against)})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"

    @property
    def numbers(self) -> str:
        """'0.62, 95 % interval 0.21 to 1.04, n = 4'; nothing where nothing was run."""
        outcome = self.outcome
        if outcome.value is None:
            return f"n = {self.runs}" if self.runs != "0" else ""
        interval = "" if outcome.low is None else f", 95 % interval {shown(outcome.low)} to {shown(outcome.high)}"
        return f"{shown(outcome.value)}{interval}, n = {self.runs}"


def shown(value: float) -> str:
    """Three significant digits, two decimals at most where it is large."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def claims() -> list[Claim]:
    """As params/paper/claims.json has them. Raises RecordError, ValueError."""
    file = read_json(PAPER / "claims.json")
    return [Claim(**_frozen(entry), dataset=file["dataset"]) for entry in file["claims"]]


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def judged(results: RunIndex) -> list[ClaimResult]:
    """Every claim at each scale, in the order of the file."""
    return [_judged(claim, scale, results) for claim in claims() for scale in SCALES]


def _judged(claim: Claim, scale: str, results: RunIndex) -> ClaimResult:
    groups = (tuple(_values(claim, scale, results, given) for given in side) for side in (claim.of, claim.against))
    return ClaimResult(claim, scale, *groups)


def _values(claim: Claim, scale: str, results: RunIndex, given: dict[str, Any]) -> tuple[Measured, ...]:
    """Of one group of searches, or of a search on the benchmark's table, which has no scale."""
    if "lookup" in given:
        return tuple(LookedUp(claim.dataset, given["lookup"], "test").at(FULL, results))
    return one_a_seed(Searched.of(VALUES[claim.value], dataset=claim.dataset, **given).at(scale, results))


def by_claim(found: list[ClaimResult]) -> Iterator[tuple[Claim, dict[str, ClaimResult]]]:
    """Each claim with its result at each scale."""
    of: dict[str, dict[str, ClaimResult]] = {}
    for result in found:
        of.setdefault(result.claim.name, {})[result.scale] = result
    return ((next(iter(scales.values())).claim, scales) for scales in of.values())
