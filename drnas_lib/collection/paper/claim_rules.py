"""How a claim is judged: a statistic of groups of runs, its 95 % interval, and the region in which the claim holds.

The claim holds where the whole 95 % interval lies in its region, does not hold where all of it lies outside, and is undecided otherwise,
or while a group has fewer than three runs. The interval follows from where the true mean of each group may lie: its mean plus its
standard error times Student's t (generalised confidence intervals, Weerahandi 1993). For one group this is the usual t interval. A
percentile bootstrap would be too short: of four normal values it covers the mean in 80 % of cases. The best of several nearly equal
groups is partly lucky; a lead over them is therefore judged too strictly.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FEWEST = 3  # runs in each group
LEVEL = 0.95
MINUS = "−"
INTERVAL = f"{100 * LEVEL:g} % interval"
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)  # of an interval, as quantiles
DRAWS, SEED = 100_000, 0

Groups = Sequence[Sequence[float]]


class ClaimVerdict(StrEnum):
    """What our runs say of one claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    UNDECIDED = "undecided"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """`value` is None where a group has too few runs for the statistic, `low` and `high` where one has too few for an interval."""

    verdict: ClaimVerdict
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Region:
    """The numbers for which a claim is true: each bound is inclusive ('at') or exclusive ('above', 'below')."""

    above: float = -math.inf
    at_least: float = -math.inf
    below: float = math.inf
    at_most: float = math.inf

    def verdict(self, low: float, high: float) -> ClaimVerdict:
        """The verdict on a statistic with the interval from `low` to `high`."""
        high_enough = lambda value: value > self.above and value >= self.at_least
        low_enough = lambda value: value < self.below and value <= self.at_most
        if high_enough(low) and low_enough(high):
            return ClaimVerdict.HOLDS
        return ClaimVerdict.UNDECIDED if high_enough(high) and low_enough(low) else ClaimVerdict.DOES_NOT_HOLD

    def __str__(self) -> str:
        """'> 0', '≥ 5 and ≤ 20'."""
        bounds = {">": self.above, "≥": self.at_least, "<": self.below, "≤": self.at_most}
        return " and ".join(f"{sign} {value:g}".replace("-", MINUS) for sign, value in bounds.items() if math.isfinite(value))


def _slope(means: NDArray) -> NDArray:
    """Change from one group (G, ...) to the next, by least squares."""
    place = np.arange(len(means)) - (len(means) - 1) / 2
    return np.tensordot(place, means, 1) / (place**2).sum()


# From means of the groups, (G, D) and (H, D) for D draws, to the statistic (D,).
STATISTICS: dict[str, Callable[[NDArray, NDArray], NDArray]] = {
    "mean": lambda of, against: of.mean(0),
    "difference": lambda of, against: of.mean(0) - against.mean(0),
    "lead over the best": lambda of, against: of.mean(0) - against.max(0),
    "difference of the largest": lambda of, against: of.max(0) - against.mean(0),
    "ratio": lambda of, against: of.mean(0) / against.mean(0),
    "range": lambda of, against: of.max(0) - of.min(0),
    "slope": lambda of, against: _slope(of),
}
SPREAD = "spread"  # of one group: its standard deviation (n - 1)
NAMES = (*STATISTICS, SPREAD)


def judge(statistic: str, rule: Mapping[str, float], of: Groups, against: Groups = ()) -> Outcome:
    """The verdict on a claim. `rule` names the bounds of its Region; no group of a judged claim is empty."""
    groups = [*of, *against]
    if not all(len(group) for group in groups):
        return Outcome(ClaimVerdict.NOT_RUN)
    means = [np.array([[np.mean(group)] for group in side]) for side in (of, against)]  # (groups, 1)
    value = _spread(*of) if statistic == SPREAD else STATISTICS[statistic](*means).item()
    if min(map(len, groups)) < FEWEST:
        return Outcome(ClaimVerdict.UNDECIDED, None if math.isnan(value) else value)
    low, high = _spread_interval(*of) if statistic == SPREAD else _interval(statistic, of, against)
    return Outcome(Region(**rule).verdict(low, high), value, low, high)


def _interval(statistic: str, of: Groups, against: Groups) -> tuple[float, float]:
    rng = np.random.default_rng(SEED)
    low, high = np.quantile(STATISTICS[statistic](_possible_means(of, rng), _possible_means(against, rng)), ENDS)
    return float(low), float(high)


def _possible_means(groups: Groups, rng: np.random.Generator) -> NDArray:
    """Where the true mean of each group may lie, (groups, DRAWS). Every second draw mirrors one: a difference has an even interval."""
    half = [rng.standard_t(len(g) - 1, DRAWS // 2) for g in groups]
    return np.array([np.mean(g) + _spread(g) / math.sqrt(len(g)) * np.concatenate([t, -t]) for g, t in zip(groups, half)])


def _spread(group: Sequence[float]) -> float:
    """Not a number for one run, which has no spread."""
    return float(np.std(group, ddof=1)) if len(group) > 1 else math.nan


def _spread_interval(group: Sequence[float]) -> tuple[float, float]:
    """Of the standard deviation of normal values, from the chi-squared distribution."""
    free = len(group) - 1
    low, high = (_spread(group) * math.sqrt(free / stats.chi2.ppf(p, free)) for p in reversed(ENDS))
    return low, high
