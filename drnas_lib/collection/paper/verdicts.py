"""Our values beside each number of the paper, and when they count as reproduced, within spread, not reproduced, reduced only or not run.

Only finished runs at the full length of a published protocol are judged; a run of another size is never compared with a printed number
(at the laptop scale the paper's claims are judged instead: claim_rules.py). The rule depends on the quantity:

accuracy, error  Reproduced: our mean is the printed number at the printed precision; in a row of the paper's own method, whose claim is
                 to be that good, also where it is better. Within spread: |ours - paper| <= max(s, min(2 SE, 0.5)), SE² = s²/N + d²/n,
                 where s is the paper's spread over its N runs and d ours over our n. So runs that vary much do not agree for that reason.
                 What is not known (no printed spread, no N, one run of ours) counts as zero: one run against 94.36 ± 0.00 has to be
                 94.36, one run against 2.46 ± 0.03 within 0.03.
exact            Counted, not measured (sizes, differing edges): reproduced at the printed precision, or not.
at_most          Memory and search cost, which depend on the device: reproduced where ours is no more than the paper's.
about            'about 10 times': reproduced within a factor of two.
below            A ratio that we read from a figure as below 1: reproduced where our mean is.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, stdev

from drnas_lib.collection.paper.answers import sources
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.measured import OTHER, CountedSize, Measured
from drnas_lib.collection.paper.numbers import PAPER, PaperNumber, numbers
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.config.presets import FAMILIES
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.files import read_json
from drnas_lib.runs.index import Run, RunIndex

STANDARD_ERRORS = 2  # that two means may differ by
MOST_POINTS = 0.5  # of them, in percentage points
FACTOR = 2  # of 'about'
ROUNDING = 1e-9

Values = tuple[Measured, ...]


class Verdict(StrEnum):
    """How our runs compare with a printed number."""

    REPRODUCED = "reproduced"
    WITHIN_SPREAD = "within spread"
    NOT_REPRODUCED = "not reproduced"
    REDUCED_ONLY = "reduced only"
    NOT_RUN = "not run"


def verdict(number: PaperNumber, full: Sequence[float], reduced: Sequence[float]) -> Verdict:
    """The verdict on a number from our values: those of full-length runs; if there are none, whether there are reduced ones."""
    if not full:
        return Verdict.REDUCED_ONLY if reduced else Verdict.NOT_RUN
    mean, rule = fmean(full), number.quantity.rule
    if RULES[rule](number, mean):
        return Verdict.REPRODUCED
    within = rule in ("accuracy", "error") and abs(mean - number.value) <= tolerance(number, full) + ROUNDING
    return Verdict.WITHIN_SPREAD if within else Verdict.NOT_REPRODUCED


def same_at_printed_precision(number: PaperNumber, ours: float) -> bool:
    """Whether our number, rounded as the paper rounds, is the printed one; a number half way between two prints is either."""
    return abs(ours - number.value) <= 0.5 * 10.0**-number.quantity.decimals + ROUNDING


def tolerance(number: PaperNumber, ours: Sequence[float]) -> float:
    """How far two means may be apart by chance alone."""
    spread = number.spread or 0.0
    theirs = spread**2 / number.runs if number.runs else 0.0
    own = stdev(ours) ** 2 / len(ours) if len(ours) > 1 else 0.0
    return max(spread, min(STANDARD_ERRORS * math.sqrt(theirs + own), MOST_POINTS))


RULES: dict[str, Callable[[PaperNumber, float], bool]] = {  # whether our mean reproduces the number
    "accuracy": lambda number, ours: same_at_printed_precision(number, ours) or number.own and ours > number.value,
    "error": lambda number, ours: same_at_printed_precision(number, ours) or number.own and ours < number.value,
    "exact": same_at_printed_precision,
    "at_most": lambda number, ours: ours <= number.value or same_at_printed_precision(number, ours),
    "about": lambda number, ours: number.value / FACTOR <= ours <= number.value * FACTOR,
    "below": lambda number, ours: ours < number.value,
}


@dataclass(frozen=True)
class Finding:
    """`full` are comparable with the paper and `laptop` are runs at that scale; `reduced` are the seeds of the largest run of another
    size, and `others` is how many more sizes there are. `commands` make a full value; they are empty where there is one, or can be none."""

    number: PaperNumber
    full: Values
    laptop: Values
    reduced: Values
    others: int
    verdict: Verdict
    note: str
    commands: tuple[Command, ...]

    @property
    def missing(self) -> bool:
        """Whether there is no full-length result."""
        return not self.full

    @property
    def ours(self) -> str:
        """'93.72 ± 0.38', '93.72' for one run, or a dash."""
        return self._shown(self.full)

    @property
    def n(self) -> str:
        """How many runs, 'exact' where nothing is run."""
        return "" if self.missing else str(len(self.full)) if self.full[0].run else "exact"

    @property
    def difference(self) -> str:
        """Our mean minus the paper's, signed; only where both are printed numbers."""
        if self.missing or self.number.quantity.rule in ("below", "about"):
            return ""
        places = self._digits(self.full)
        return f"{round(fmean(m.value for m in self.full) - self.number.value, places) + 0.0:+.{places}f}"  # never -0.00

    @property
    def laptop_ours(self) -> str:
        """'93.76 ± 0.12'."""
        return self._shown(self.laptop)

    @property
    def laptop_text(self) -> str:
        """'93.76 ± 0.12 (n = 4)'."""
        return f"{self.laptop_ours} (n = {len(self.laptop)})" if self.laptop else ""

    @property
    def reduced_text(self) -> str:
        """'91.81 (n = 1)', with how many other reduced settings were run; '45.92 on digits (n = 1)' where data stand in for the paper's."""
        if not self.reduced:
            return ""
        run = runs(self.reduced)[0]
        on = "" if _on_papers_data(run) else f" on {run.dataset}"
        more = f"; {self.others} other setting{'s' if self.others > 1 else ''}" if self.others else ""
        return f"{self._shown(self.reduced)}{on} (n = {len(self.reduced)}{more})"

    def _digits(self, values: Values) -> int:
        """As many as the paper prints, one more for a ratio, and two more where ours is exact."""
        return self.number.quantity.decimals + (2 if len(runs(values)) < len(values) else 1 if self.number.quantity.rule == "about" else 0)

    def _shown(self, values: Values) -> str:
        """Mean and spread of the sample."""
        if not values:
            return ABSENT
        ours, places = [m.value for m in values], self._digits(values)
        return f"{fmean(ours):.{places}f}" + (f" ± {stdev(ours):.{places}f}" if len(ours) > 1 else "")


def findings(results: RunIndex) -> list[Finding]:
    """One for every number of the paper, in its order."""
    return [find(number, results) for number in numbers()]


def find(number: PaperNumber, results: RunIndex) -> Finding:
    """The finding of one number. At each scale the first of its sources with a value counts."""
    options = sources(number)
    values = [source.values(results) for source in options]
    full, laptop = (next(filter(None, (at_scale(of_source, scale) for of_source in values)), ()) for scale in (FULL, LAPTOP))
    at_a_scale = {run.folder for run in runs(m for of_source in values for m in of_source if m.scale != OTHER)}
    another_size = [[m for m in of_source if m.run and m.run.folder not in at_a_scale] for of_source in values]
    reduced, *others = next(filter(None, map(_reduced, another_size)), [()])
    judged = verdict(number, [m.value for m in full], [m.value for m in (*laptop, *reduced)])
    commands = () if full else next(filter(None, (source.commands(results) for source in options)), ())
    notes = [number.note, *(source.note for source in options)]
    if judged is Verdict.NOT_REPRODUCED and isinstance(options[0], CountedSize):
        notes.append(read_json(PAPER / "size_reasons.json").get(number.key, {}).get(options[0].cell, ""))
    return Finding(number, full, laptop, reduced, len(others), judged, "; ".join(filter(None, notes)), commands)


def runs(values: Iterable[Measured]) -> list[Run]:
    """The runs behind values, without those that were counted."""
    return [measured.run for measured in values if measured.run]


def at_scale(values: Iterable[Measured], scale: str) -> Values:
    """The values of a scale, one a seed: a run that was repeated under another name counts once."""
    return _one_a_seed(measured for measured in values if measured.scale == scale)


def _one_a_seed(values: Iterable[Measured]) -> Values:
    found: dict[tuple, Measured] = {}
    for measured in values:
        found.setdefault((measured.run and measured.run.parameters.get("cell"), measured.seed), measured)
    return tuple(found.values())


def _reduced(values: Iterable[Measured]) -> list[Values]:
    """Seeds of the same settings together, the least reduced first: runs on the paper's data before others, then by images shown."""
    found: dict[str, list[Measured]] = defaultdict(list)
    for measured in values:
        if measured.scale == OTHER and measured.run:
            found[measured.run.name].append(measured)
    size = lambda group: (_on_papers_data(group[0].run), group[0].run.work)
    return [_one_a_seed(group) for group in sorted(found.values(), key=size, reverse=True)]


def _on_papers_data(run: Run) -> bool:
    return FAMILIES.get(run.dataset) != "own"
