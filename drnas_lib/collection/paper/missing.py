"""The numbers of the paper that have no full-length result yet, and the commands that would make them, the most valuable first."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from drnas_lib.collection.paper.commands import Command
from drnas_lib.collection.paper.estimates import GPU_ASSUMPTIONS, minutes
from drnas_lib.collection.paper.verdicts import Finding
from drnas_lib.runs.index import RunIndex


@dataclass
class Step:
    """A command to run, its estimated minutes, the numbers that it makes, and the commands that must run before it."""

    command: Command
    minutes: float
    after: tuple[Command, ...] = ()
    makes: list[Finding] = field(default_factory=list)

    @property
    def headline(self) -> bool:
        """Whether it makes a main result of the paper."""
        return any(finding.number.headline for finding in self.makes)

    @property
    def value(self) -> float:
        """Numbers of the paper for each minute."""
        return len(self.makes) / self.minutes


def steps(found: Iterable[Finding], results: RunIndex) -> list[Step]:
    """A step for each command that makes a missing number: first those with a headline, then the others, each by `value`, except that a
    step comes after those that it needs.

    A step includes the minutes of the commands before it that make no number by themselves.
    """
    by_command: dict[Command, Step] = {}
    for finding in found:
        if finding.missing and finding.commands:
            *before, last = finding.commands
            if last not in by_command:
                by_command[last] = Step(last, minutes(last, results), tuple(before))
            by_command[last].makes.append(finding)
    for step in by_command.values():
        step.minutes += sum(minutes(command, results) for command in step.after if command not in by_command)
    ordered: dict[Command, Step] = {}
    for step in sorted(by_command.values(), key=lambda step: (not step.headline, -step.value)):
        for command in (*step.after, step.command):
            if command in by_command:
                ordered.setdefault(command, by_command[command])
    return list(ordered.values())


def impossible(found: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Reason -> the missing numbers that nothing here can make."""
    reasons: dict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        if finding.missing and not finding.commands:
            reasons[finding.note.split("; ")[-1]].append(finding)
    return reasons


def names(found: Iterable[Finding]) -> str:
    """'Table 4: DrNAS (cifar10 valid, cifar10 test); Figure 5: λ = 0.1 (eigenvalue)'."""
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for number in (finding.number for finding in found):
        places[number.place][number.row].append(number.quantity.label)
    rows = lambda of_place: ", ".join(f"{row} ({', '.join(columns)})" for row, columns in of_place.items())
    return "; ".join(f"{place}: {rows(of_place)}" for place, of_place in places.items())


def listing(found: list[Finding], results: RunIndex) -> str:
    """The steps and the impossible numbers as text."""
    ordered = steps(found, results)
    missing = sum(finding.missing for finding in found)
    position = {step.command: count for count, step in enumerate(ordered, start=1)}
    parts = [f"{missing} of {len(found)} numbers of the paper have no full-length result in {results.root.name}/. Most valuable first:\n"]
    for step in ordered:
        made = f"{len(step.makes)} number{'s' if len(step.makes) > 1 else ''}{', a headline' if step.headline else ''}"
        parts.append(f"{position[step.command]}. {made}, about {duration(step.minutes)} of a GPU\n   {names(step.makes)}")
        parts += [f"   after no. {position[command]}" for command in step.after if command in position]
        before = [command for command in step.after if command not in position]
        parts += [f"   {command.line}" for command in (*before, step.command)]
    parts.append(f"\nAltogether about {duration(sum(step.minutes for step in ordered))} of one GPU.")
    parts += [f"\nNothing makes these {len(these)}: {why}.\n   {names(these)}" for why, these in impossible(found).items()]
    assumed = [f"  {name:13} {a.value:.4g} {a.unit}: {a.why}" for name, a in GPU_ASSUMPTIONS.items()]
    return "\n".join([*parts, "", "Minutes are estimates, not measurements. They assume:", *assumed])


def duration(minutes_: float) -> str:
    """'284 minutes (5 hours)'."""
    hours = minutes_ / 60
    beside = "" if hours < 2 else f" ({hours:.0f} hours)" if hours < 72 else f" ({hours / 24:.0f} days)"
    return f"{minutes_:,.0f} minute{'' if round(minutes_) == 1 else 's'}{beside}"
