"""When a number of ours counts as reproduced, within spread, not reproduced, reduced only or not run.

Only finished runs at the full length of a published protocol are judged; a run of another size is never compared with a printed number
(at the laptop scale the paper's claims are judged instead: claim_rules.py). The rule depends on the quantity:

accuracy, error  Reproduced: our mean is the printed number at the printed precision; in a row of the paper's own method, whose claim is
                 to be that good, also where it is better. Within spread: |ours - paper| <= max(s, 2 SE), SE² = s²/N + d²/n, where s is
                 the paper's spread over its N runs and d ours over our n. What is not known (no printed spread, no N, one run of ours)
                 counts as zero: one run against 94.36 ± 0.00 has to be 94.36, one run against 2.46 ± 0.03 within 0.03.
exact            Counted, not measured (sizes, differing edges): reproduced at the printed precision, or not.
at_most          Memory and search cost, which depend on the device: reproduced where ours is no more than the paper's.
about            'about 10 times': reproduced within a factor of two.
below            A ratio that we read from a figure as below 1: reproduced where our mean is.
"""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from statistics import fmean, stdev

from drnas_lib.collection.paper.numbers import PaperNumber

STANDARD_ERRORS = 2  # that two means may differ by
FACTOR = 2  # of 'about'
ROUNDING = 1e-9


class Verdict(StrEnum):
    """How our runs compare with a printed number."""

    REPRODUCED = "reproduced"
    WITHIN_SPREAD = "within spread"
    NOT_REPRODUCED = "not reproduced"
    REDUCED_ONLY = "reduced only"
    NOT_RUN = "not run"


def verdict(number: PaperNumber, full: Sequence[float], reduced: Sequence[float]) -> Verdict:
    """The verdict on a number from our values: those of full-length runs; if there are none, whether there are reduced ones."""
    if full:
        return RULES[number.quantity.rule](number, full)
    return Verdict.REDUCED_ONLY if reduced else Verdict.NOT_RUN


def same_at_printed_precision(number: PaperNumber, ours: float) -> bool:
    """Whether our number, rounded as the paper rounds, is the printed one; a number half way between two prints is either."""
    return abs(ours - number.value) <= 0.5 * 10.0**-number.quantity.decimals + ROUNDING


def tolerance(number: PaperNumber, ours: Sequence[float]) -> float:
    """How far two means may be apart by chance alone."""
    spread = number.spread or 0.0
    theirs = spread**2 / number.runs if number.runs else 0.0
    own = stdev(ours) ** 2 / len(ours) if len(ours) > 1 else 0.0
    return max(spread, STANDARD_ERRORS * math.sqrt(theirs + own))


def _measured(better: int) -> Callable[[PaperNumber, Sequence[float]], Verdict]:
    """The rule of a measured quantity. `better`: 1 where more is better, -1 where less is."""

    def rule(number: PaperNumber, ours: Sequence[float]) -> Verdict:
        mean = fmean(ours)
        if same_at_printed_precision(number, mean) or number.own and better * (mean - number.value) > 0:
            return Verdict.REPRODUCED
        return Verdict.WITHIN_SPREAD if abs(mean - number.value) <= tolerance(number, ours) + ROUNDING else Verdict.NOT_REPRODUCED

    return rule


def _true_of_mean(holds: Callable[[PaperNumber, float], bool]) -> Callable[[PaperNumber, Sequence[float]], Verdict]:
    return lambda number, ours: Verdict.REPRODUCED if holds(number, fmean(ours)) else Verdict.NOT_REPRODUCED


RULES = {
    "accuracy": _measured(1),
    "error": _measured(-1),
    "exact": _true_of_mean(same_at_printed_precision),
    "at_most": _true_of_mean(lambda number, ours: ours <= number.value or same_at_printed_precision(number, ours)),
    "about": _true_of_mean(lambda number, ours: number.value / FACTOR <= ours <= number.value * FACTOR),
    "below": _true_of_mean(lambda number, ours: ours < number.value),
}
