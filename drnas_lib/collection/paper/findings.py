"""For each number of the paper: our values, the runs behind them, the verdict, and the commands that make more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.number_sources import sources
from drnas_lib.collection.paper.numbers import PAPER, PaperNumber, numbers
from drnas_lib.collection.paper.sources import OTHER, CountedSize, Measured, Source
from drnas_lib.collection.paper.verdict import Verdict, verdict
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.config.presets import FAMILIES
from drnas_lib.config.scales import FULL, LAPTOP
from drnas_lib.runs.index import Run, RunIndex
from drnas_lib.runs.records import read_json

Values = tuple[Measured, ...]


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
        return shown(self.number, self.full)

    @property
    def n(self) -> str:
        """How many runs, 'exact' where nothing is run."""
        if self.missing:
            return ""
        return str(len(self.full)) if self.full[0].run else "exact"

    @property
    def difference(self) -> str:
        """Our mean minus the paper's, signed; only where both are printed numbers."""
        if self.missing or self.number.quantity.rule in ("below", "about"):
            return ""
        places = digits(self.number, self.full)
        return f"{round(fmean(m.value for m in self.full) - self.number.value, places) + 0.0:+.{places}f}"  # never -0.00

    @property
    def laptop_text(self) -> str:
        """'93.76 ± 0.12 (n = 4)'."""
        return f"{shown(self.number, self.laptop)} (n = {len(self.laptop)})" if self.laptop else ""

    @property
    def reduced_text(self) -> str:
        """'91.81 (n = 1)', with how many other reduced settings were run; '45.92 on digits (n = 1)' where data stand in for the paper's."""
        if not self.reduced:
            return ""
        run = runs(self.reduced)[0]
        on = f" on {run.dataset}" if FAMILIES.get(run.dataset) == "own" else ""
        more = f"; {self.others} other setting{'s' if self.others > 1 else ''}" if self.others else ""
        return f"{shown(self.number, self.reduced)}{on} (n = {len(self.reduced)}{more})"


def runs(values: Iterable[Measured]) -> list[Run]:
    """The runs behind values, without those that were counted."""
    return [measured.run for measured in values if measured.run]


def digits(number: PaperNumber, values: Values) -> int:
    """As many as the paper prints, one more for a ratio, and two more where ours is exact."""
    return number.quantity.decimals + (2 if len(runs(values)) < len(values) else 1 if number.quantity.rule == "about" else 0)


def shown(number: PaperNumber, values: Values) -> str:
    """Mean and spread of the sample at the paper's digits."""
    if not values:
        return ABSENT
    ours, places = [m.value for m in values], digits(number, values)
    spread = f" ± {stdev(ours):.{places}f}" if len(ours) > 1 else ""
    return f"{fmean(ours):.{places}f}{spread}"


def findings(results: RunIndex) -> list[Finding]:
    """One for every number of the paper, in its order."""
    return [find(number, results) for number in numbers()]


def find(number: PaperNumber, results: RunIndex) -> Finding:
    """The finding of one number. At each scale the first of its sources with a value counts."""
    options = sources(number)
    values = [source.values(results) for source in options]
    full, laptop = (next(filter(None, (at_scale(of_source, scale) for of_source in values)), ()) for scale in (FULL, LAPTOP))
    reduced, *others = next(filter(None, map(_reduced, values)), [()])
    judged = verdict(number, [m.value for m in full], [m.value for m in (*laptop, *reduced)])
    commands = () if full else next(filter(None, (source.commands(results) for source in options)), ())
    return Finding(number, full, laptop, reduced, len(others), judged, _note(number, options, judged), commands)


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
    return [_one_a_seed(group) for group in sorted(found.values(), key=_size, reverse=True)]


def _size(group: list[Measured]) -> tuple[bool, float]:
    run = runs(group)[0]
    return FAMILIES.get(run.dataset) != "own", run.work


def _note(number: PaperNumber, options: Sequence[Source], judged: Verdict) -> str:
    """What a reader has to know beside the verdict."""
    notes = [number.note, *(source.note for source in options)]
    if judged is Verdict.NOT_REPRODUCED and isinstance(options[0], CountedSize):
        reasons = read_json(PAPER / "size_reasons.json")
        notes.append(reasons.get(number.place.lower().replace(" ", ""), {}).get(options[0].cell, ""))
    return "; ".join(filter(None, notes))
