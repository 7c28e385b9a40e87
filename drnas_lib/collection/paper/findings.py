"""What our results say of every number of the paper: its values, where they come from, and the verdict. Files in, values out."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev

from drnas_lib.collection.paper.cell_sources import sources
from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.numbers import PAPER, PaperCell, cells
from drnas_lib.collection.paper.sources import Counted, Source
from drnas_lib.collection.paper.verdict import Verdict, verdict
from drnas_lib.collection.views.tables import ABSENT
from drnas_lib.config.presets import FAMILIES
from drnas_lib.config.scales import LAPTOP
from drnas_lib.runs.index import Measured, RunIndex


@dataclass(frozen=True)
class Finding:
    """`full` may stand beside the paper and `laptop` are runs at that scale; `reduced` are the seeds of the largest run of another size,
    and `others` says how many more sizes there are."""

    cell: PaperCell
    full: tuple[Measured, ...]
    laptop: tuple[Measured, ...]
    reduced: tuple[Measured, ...]
    others: int
    verdict: Verdict
    why: str
    lines: tuple[Command, ...]  # what makes a full one; empty where nothing can, or nothing needs to

    @property
    def missing(self) -> bool:
        """Whether there is no full-length result."""
        return not self.full

    @property
    def ours(self) -> str:
        """'93.72 ± 0.38', '93.72' for one run, or a dash."""
        return shown(self.cell, self.full)

    @property
    def n(self) -> str:
        """How many runs, 'exact' where nothing is run."""
        return "" if not self.full else str(len(self.full)) if self.full[0].run else "exact"

    @property
    def difference(self) -> str:
        """Our mean minus the paper's, signed; only where both are printed numbers."""
        if self.missing or self.cell.quantity.rule in ("below", "about"):
            return ""
        places = digits(self.cell, self.full)
        return f"{round(fmean(m.value for m in self.full) - self.cell.value, places) + 0.0:+.{places}f}"  # never -0.00

    @property
    def laptop_text(self) -> str:
        """'93.76 ± 0.12 (n = 4)'."""
        return f"{shown(self.cell, self.laptop)} (n = {len(self.laptop)})" if self.laptop else ""

    @property
    def reduced_text(self) -> str:
        """'91.81 (n = 1)', with how many other reduced settings were run; '45.92 on digits (n = 1)' where data stand in for the paper's."""
        if not self.reduced:
            return ""
        dataset = self.reduced[0].run.dataset
        on = f" on {dataset}" if FAMILIES.get(dataset) == "own" else ""
        more = f"; {self.others} other setting{'s' if self.others > 1 else ''}" if self.others else ""
        return f"{shown(self.cell, self.reduced)}{on} (n = {len(self.reduced)}{more})"


def digits(cell: PaperCell, values: Iterable[Measured]) -> int:
    """One more than the paper prints where ours is exact or a ratio."""
    return cell.quantity.decimals + (2 if any(m.run is None for m in values) else 1 if cell.quantity.rule == "about" else 0)


def shown(cell: PaperCell, values: tuple[Measured, ...]) -> str:
    """Mean and spread of the sample at the paper's digits."""
    if not values:
        return ABSENT
    numbers, places = [m.value for m in values], digits(cell, values)
    spread = f" ± {stdev(numbers):.{places}f}" if len(numbers) > 1 else ""
    return f"{fmean(numbers):.{places}f}{spread}"


def findings(results: RunIndex) -> list[Finding]:
    """One for every number of the paper, in its order."""
    return [find(cell, results) for cell in cells()]


def find(cell: PaperCell, results: RunIndex) -> Finding:
    """Of one number: of several sources the first with a full run counts, else the first with a reduced one."""
    options = sources(cell)
    full = next(filter(None, (one_a_seed(source.full(results)) for source in options)), ())
    laptop = next(filter(None, (one_a_seed(source.at(LAPTOP, results)) for source in options)), ())
    groups = next(filter(None, (_groups(source.reduced(results)) for source in options)), [])
    reduced = groups[0] if groups else ()
    judged = verdict(cell, [m.value for m in full], [m.value for m in (*laptop, *reduced)])
    lines = () if full else next(filter(None, (source.lines(results) for source in options)), ())
    return Finding(cell, full, laptop, reduced, max(0, len(groups) - 1), judged, _why(cell, options, judged), lines)


def one_a_seed(values: list[Measured]) -> tuple[Measured, ...]:
    """A run that was repeated under another name counts once."""
    found: dict[tuple, Measured] = {}
    for measured in values:
        found.setdefault((measured.run and measured.run.parameters.get("cell"), measured.seed), measured)
    return tuple(found.values())


def _groups(values: list[Measured]) -> list[tuple[Measured, ...]]:
    """Seeds of the same settings together, the least reduced first: runs on the paper's data before others, then by images shown."""
    found: dict[str, list[Measured]] = {}
    for measured in values:
        found.setdefault(measured.run.name, []).append(measured)
    return [one_a_seed(group) for group in sorted(found.values(), key=_size, reverse=True)]


def _size(group: list[Measured]) -> tuple[bool, float]:
    run = group[0].run
    return FAMILIES.get(run.dataset) != "own", run.work


def _why(cell: PaperCell, options: tuple[Source, ...], judged: Verdict) -> str:
    """What has to be said of a number beside its verdict."""
    reasons = [cell.note, *(source.why for source in options)]
    if judged is Verdict.NOT_REPRODUCED and isinstance(options[0], Counted):
        reasons.append(_size_reasons().get(cell.place.lower().replace(" ", ""), {}).get(options[0].cell, ""))
    return "; ".join(filter(None, reasons))


@lru_cache(maxsize=1)
def _size_reasons() -> dict[str, dict[str, str]]:
    return json.loads((PAPER / "size_reasons.json").read_text(encoding="utf-8"))
