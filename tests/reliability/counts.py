"""What a campaign did, as numbers, and the file in which the numbers of all campaigns add up: results/soak/counts.csv."""

import csv
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from drnas_lib.runs.files import PROJECT, environment, write_csv, write_json

FOLDER = PROJECT / "results" / "soak"
OUTCOMES = ("exact", "told", "stated", "lost", "executed")


IN_VAIN = 20  # attempts without an outcome, of which a few are chance


class Executed(AssertionError):
    """Code of a crafted file ran."""


@dataclass
class Count:
    """`tried` attempts, each with one outcome.

    exact: the run ended, or was read back, as without it. told: refused with a message that names what is wrong and what to do.
    stated: a parameter file that says something else now, which the run's name and record say too. lost: anything else. executed: code
    of a crafted file ran.
    """

    campaign: str
    of: str
    seed: int
    outcomes: Counter = field(default_factory=Counter)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def attempt(self, action: Callable[[], str | Counter]) -> None:
        """Count the outcome, or outcomes, that `action` says; an AssertionError is a loss, or an execution, and is kept in `faults`."""
        try:
            outcome = action()
        except AssertionError as error:
            outcome = "executed" if isinstance(error, Executed) else "lost"
            self.faults.append(f"{self.campaign}, {self.of}: {error}")
        self.outcomes.update([outcome] if isinstance(outcome, str) else outcome)

    def until(self, count: int, action: Callable[[int], Counter]) -> None:
        """Attempts with the numbers 0, 1, ... until `count` outcomes are there.

        Raises RuntimeError where many in a row have none: what they were to meet does not reach them.
        """
        in_vain = 0
        for number in itertools.count():
            if self.tried >= count:
                return
            before = self.tried
            self.attempt(lambda: action(number))  # noqa: B023
            in_vain = 0 if self.tried > before else in_vain + 1
            if in_vain == IN_VAIN:
                raise RuntimeError(f"{self.campaign}, {self.of}: {IN_VAIN} runs in a row met nothing")

    @property
    def tried(self) -> int:
        return sum(self.outcomes.values())

    def row(self) -> dict:
        facts = environment()
        about = {"campaign": self.campaign, "of": self.of, "seed": self.seed, "tried": self.tried}
        where = {"cpu": facts["cpu"], "cores": facts["cpu_cores"], "python": facts["python"], "torch": facts["packages"]["torch"]}
        when = {"time_utc": facts["time_utc"], "commit": facts["commit"], "uncommitted_changes": facts["uncommitted_changes"]}
        return about | {name: self.outcomes[name] for name in OUTCOMES} | {"seconds": round(self.seconds, 1)} | where | when


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def keep(count: Count, folder: Path = FOLDER) -> None:
    """Add a row to counts.csv, in place of one of the same campaign and seed, and add all up in summary.json."""
    path, same = folder / "counts.csv", ("campaign", "of", "seed")
    new = {name: str(value) for name, value in count.row().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "counts.lock"):  # several parts of the campaign may run at once
        rows = _rows(path) if path.exists() else []
        rows = [row for row in rows if any(row[name] != new[name] for name in same)] + [new]
        rows.sort(key=lambda row: (row["campaign"], row["of"], int(row["seed"])))
        write_csv(path, rows)
        write_json(folder / "summary.json", summary(rows))


def summary(rows: list[dict]) -> dict:
    """Sums over all rows, by campaign and in all."""
    total: dict[str, Counter] = {}
    for row in rows:
        for name in (row["campaign"], "all"):
            total.setdefault(name, Counter()).update({key: int(row[key]) for key in ("tried", *OUTCOMES)})
    latest = max(rows, key=lambda row: row["time_utc"])
    about = {name: latest[name] for name in ("time_utc", "commit", "uncommitted_changes", "cpu", "cores", "python", "torch")}
    return {"latest": about} | {name: dict(values) for name, values in total.items()}
