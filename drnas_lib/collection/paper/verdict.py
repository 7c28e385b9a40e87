"""When a number of ours counts as the paper's: the five verdicts and the rules behind them, in this one place.

Only finished runs at the full length of a published protocol are judged; a run of another size is never compared with a printed number
(at the laptop scale the paper's claims are judged instead: claim_rules.py). By what the paper prints:

accuracy, error  Reproduced: our mean is the printed number at the printed precision; in a row of the paper's own method, whose claim is
                 to be that good, also where it is better. Within spread: |ours - paper| <= max(s, 2 SE), SE² = s²/N + d²/n, where s is
                 the paper's spread over its N runs and d ours over our n. What is not known (no printed spread, no N, one run of ours)
                 counts as zero: one run against 94.36 ± 0.00 has to be 94.36, one run against 2.46 ± 0.03 within 0.03.
exact            Counted, not measured (sizes, differing edges): reproduced at the printed precision, or not.
at_most          Memory and search cost, which depend on the device: reproduced where ours is no more than the paper's.
about            'about 10 times': reproduced within a factor of two.
below            A ratio that a figure is taken to show below 1: reproduced where our mean is.
"""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from statistics import fmean, stdev

from drnas_lib.collection.paper.numbers import PaperCell

STANDARD_ERRORS = 2  # that two means may differ by
FACTOR = 2  # of 'about'


class Verdict(StrEnum):
    """What our runs say of one printed number."""

    REPRODUCED = "reproduced"
    WITHIN_SPREAD = "within spread"
    NOT_REPRODUCED = "not reproduced"
    REDUCED_ONLY = "reduced only"
    NOT_RUN = "not run"


def verdict(cell: PaperCell, full: Sequence[float], reduced: Sequence[float]) -> Verdict:
    """Of our values for a cell: `full` of runs at full length, one each, `reduced` of the others, which are counted and not compared."""
    if full:
        return RULES[cell.quantity.rule](cell, full)
    return Verdict.REDUCED_ONLY if reduced else Verdict.NOT_RUN


def same_at_printed_precision(cell: PaperCell, ours: float) -> bool:
    """Whether our number, rounded as the paper rounds, is the printed one; a number half way between two prints is either."""
    half = 0.5 * 10.0**-cell.quantity.decimals
    return abs(ours - cell.value) <= half + 1e-9


def tolerance(cell: PaperCell, ours: Sequence[float]) -> float:
    """How far two means may be apart that differ by chance alone."""
    spread = cell.spread or 0.0
    theirs = spread**2 / cell.runs if cell.runs else 0.0
    own = stdev(ours) ** 2 / len(ours) if len(ours) > 1 else 0.0
    return max(spread, STANDARD_ERRORS * math.sqrt(theirs + own))


def _measured(better: int) -> Callable[[PaperCell, Sequence[float]], Verdict]:
    """`better`: 1 where more is better, -1 where less is."""

    def rule(cell: PaperCell, ours: Sequence[float]) -> Verdict:
        mean = fmean(ours)
        if same_at_printed_precision(cell, mean) or cell.own and better * (mean - cell.value) > 0:
            return Verdict.REPRODUCED
        return Verdict.WITHIN_SPREAD if abs(mean - cell.value) <= tolerance(cell, ours) + 1e-9 else Verdict.NOT_REPRODUCED

    return rule


def _judged(holds: Callable[[PaperCell, float], bool]) -> Callable[[PaperCell, Sequence[float]], Verdict]:
    return lambda cell, ours: Verdict.REPRODUCED if holds(cell, fmean(ours)) else Verdict.NOT_REPRODUCED


RULES = {
    "accuracy": _measured(1),
    "error": _measured(-1),
    "exact": _judged(same_at_printed_precision),
    "at_most": _judged(lambda cell, ours: ours <= cell.value or same_at_printed_precision(cell, ours)),
    "about": _judged(lambda cell, ours: cell.value / FACTOR <= ours <= cell.value * FACTOR),
    "below": _judged(lambda cell, ours: ours < cell.value),
}
