"""What of the paper has no full-length result yet, and the papermill lines that would make it, the most valuable first."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.estimates import ASSUMPTIONS, minutes
from drnas_lib.collection.paper.findings import Finding
from drnas_lib.runs.index import RunIndex


@dataclass
class Step:
    """A line to run, how long that may take, and the numbers of the paper that it serves. `after` must have run before."""

    line: Command
    minutes: float
    after: tuple[Command, ...] = ()
    serves: list[Finding] = field(default_factory=list)

    @property
    def headline(self) -> bool:
        """Whether a number that the paper is known for is among them."""
        return any(finding.cell.headline for finding in self.serves)

    @property
    def value(self) -> float:
        """Numbers of the paper for each minute."""
        return len(self.serves) / self.minutes


def steps(found: Iterable[Finding], results: RunIndex) -> list[Step]:
    """Every line that serves a missing number: first those that serve a headline, then the others, each by `value`.

    The minutes of a line that must run before are counted with it where that line serves no number by itself.
    """
    by_line: dict[Command, Step] = {}
    for finding in found:
        if finding.missing and finding.lines:
            *before, last = finding.lines
            step = by_line.setdefault(last, Step(last, minutes(last, results), tuple(before)))
            step.serves.append(finding)
    for step in list(by_line.values()):
        step.minutes += sum(minutes(line, results) for line in step.after if line not in by_line)
    return _needed_first(sorted(by_line.values(), key=lambda step: (not step.headline, -step.value)))


def _needed_first(ranked: list[Step]) -> list[Step]:
    """The same order, but that no line stands before one that it needs."""
    place, done = {step.line: step for step in ranked}, {}

    def put(step: Step) -> None:
        for line in step.after:
            if line in place:
                put(place[line])
        done.setdefault(step.line, step)

    for step in ranked:
        put(step)
    return list(done.values())


def impossible(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Reason -> the missing numbers that nothing here can make."""
    reasons: dict[str, list[Finding]] = {}
    for finding in found:
        if finding.missing and not finding.lines:
            reasons.setdefault(finding.why.split("; ")[-1], []).append(finding)
    return reasons


def cells_text(found: Iterable[Finding]) -> str:
    """'Table 4: DrNAS (cifar10 valid, cifar10 test); Figure 5: λ = 0.1'."""
    places: dict[str, dict[str, list[str]]] = {}
    for finding in found:
        places.setdefault(finding.cell.place, {}).setdefault(finding.cell.row, []).append(finding.cell.quantity.label)
    return "; ".join(f"{place}: {_rows(rows)}" for place, rows in places.items())


def _rows(rows: dict[str, list[str]]) -> str:
    return ", ".join(f"{row} ({', '.join(columns)})" for row, columns in rows.items())


def listing(found: list[Finding], results: RunIndex) -> str:
    """All of it as text."""
    ordered = steps(found, results)
    missing = sum(finding.missing for finding in found)
    number = {step.line: place for place, step in enumerate(ordered, start=1)}
    parts = [f"{missing} of {len(found)} numbers of the paper have no full-length result in {results.root.name}/. Most valuable first:\n"]
    for place, step in enumerate(ordered, start=1):
        numbers = f"{len(step.serves)} number{'s' if len(step.serves) > 1 else ''}{', a headline' if step.headline else ''}"
        parts.append(f"{place}. {numbers}, about {duration(step.minutes)} of a GPU\n   {cells_text(step.serves)}")
        parts += [f"   after no. {number[line]}" for line in step.after if line in number]
        parts += [f"   {line.command}" for line in (*(line for line in step.after if line not in number), step.line)]
    parts.append(f"\nAltogether about {duration(sum(step.minutes for step in ordered))} of one GPU.")
    parts += [f"\nNothing makes these {len(these)}: {why}.\n   {cells_text(these)}" for why, these in impossible(found).items()]
    return "\n".join([*parts, "", assumptions()])


def assumptions() -> str:
    """What the estimates stand on."""
    rows = [f"  {name:13} {a.value:.4g} {a.unit}: {a.why}" for name, a in ASSUMPTIONS.items()]
    return "\n".join(["Minutes are estimates, not measurements. They assume:", *rows])


def duration(minutes_: float) -> str:
    """'284 minutes (5 hours)'."""
    hours = minutes_ / 60
    beside = "" if hours < 2 else f" ({hours:.0f} hours)" if hours < 72 else f" ({hours / 24:.0f} days)"
    return f"{minutes_:,.0f} minute{'' if round(minutes_) == 1 else 's'}{beside}"
