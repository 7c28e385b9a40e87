"""The workflow as a picture: a box for each rule of Snakemake's graph of jobs, and a line to each rule that needs it.

snakemake TARGETS --forceall --dag dot | python -m drnas_lib.collection.workflow.picture OUT.png
"""

import io
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve

from drnas_lib.collection.views.style import OTHER, OURS, REFERENCE
from drnas_lib.runs.records import atomic_write

JOB = re.compile(r'^\s*(\d+)\[label = "(\w+)', re.MULTILINE)
ARROW = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)
WIDTH, GAP, HEIGHT = 2.3, 1.5, 0.62  # inches: of a box, between two columns, of a row
GREY, SWEEPS = "#9a9a9a", 4
COLOURS = (REFERENCE, OURS, OTHER)  # of searches and trainings, of tables and studies, of the targets


def read(dot: str) -> tuple[Counter, set[tuple[str, str]]]:
    """Rule -> number of its jobs, in the order of the text; and pairs (rule, rule that needs its results). Raises ValueError."""
    rules = dict(JOB.findall(dot))
    if not rules:
        raise ValueError(f"there are no jobs in {dot[:200]!r}. Give it what `snakemake TARGET --forceall --dag dot` prints.")
    return Counter(rules.values()), {(rules[a], rules[b]) for a, b in ARROW.findall(dot)}


def columns(rules: list[str], needs: set[tuple[str, str]]) -> list[list[str]]:
    """The rules by column, left to right: the targets in the last one, every other rule just left of the rules that need it.

    Within a column rules at the end of long chains come first, so that no line runs behind a box; then a few sweeps over the columns order
    the rest by the mean place of their neighbours, so that few lines cross.
    """
    users = {rule: [b for a, b in needs if a == rule] for rule in rules}
    needed = {rule: [a for a, b in needs if b == rule] for rule in rules}

    @cache
    def steps(rule: str) -> int:
        return 1 + max(map(steps, users[rule]), default=-1)

    @cache
    def depth(rule: str) -> int:
        return 1 + max(map(depth, needed[rule]), default=-1)

    found = [sorted(rule for rule in rules if steps(rule) == step) for step in range(max(map(steps, rules)), -1, -1)]
    for of in SWEEPS * (users, needed):
        place = {rule: (row + 0.5) / len(column) for column in found for row, rule in enumerate(column)}
        for column in found:
            near = {rule: fmean(place[other] for other in of[rule] or [rule]) for rule in column}
            column.sort(key=lambda rule: (-depth(rule) if users[rule] else 0, near[rule]))  # noqa: B023 (called at once)
    return found


def heights(placed: list[list[str]], needs: set[tuple[str, str]]) -> dict[str, float]:
    """Rows from the top: the last column row by row, every other rule at the mean height of the rules that need it."""
    height: dict[str, float] = {rule: float(row) for row, rule in enumerate(placed[-1])}
    lowest = max(map(len, placed)) - 1
    for column in reversed(placed[:-1]):
        wished = [fmean(height[b] for a, b in needs if a == rule) for rule in column]
        for row, (rule, wish) in enumerate(zip(column, wished)):
            above = height[column[row - 1]] + 1 if row else 0
            height[rule] = min(max(wish, above), lowest - (len(column) - 1 - row))
    return height


def figure(dot: str) -> Figure:
    """A box for each rule with the number of its jobs, and a line to each rule that needs it."""
    jobs, needs = read(dot)
    placed = columns(list(jobs), needs)
    rows, height = max(map(len, placed)), heights(placed, needs)
    drawn = Figure(figsize=(len(placed) * (WIDTH + GAP) - GAP + 0.2, rows * HEIGHT + 0.2), dpi=90)
    ax = drawn.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.1, len(placed) * (WIDTH + GAP) - GAP + 0.1), ylim=(-rows * HEIGHT - 0.1, 0.1))
    ax.axis("off")
    corner = {rule: (x * (WIDTH + GAP), -(height[rule] + 0.5) * HEIGHT) for x, column in enumerate(placed) for rule in column}
    for a, b in sorted(needs):
        (x, y), (to_x, to_y) = corner[a], corner[b]
        bend = [(x + WIDTH, y), (x + WIDTH + GAP / 2, y), (to_x - GAP / 2, to_y), (to_x, to_y)]
        ax.add_patch(PathPatch(Curve(bend, [Curve.MOVETO, *3 * [Curve.CURVE4]]), fill=False, color=GREY, lw=1.1, zorder=1))
    for number, column in enumerate(placed):
        colour = COLOURS[max(0, number - len(placed) + len(COLOURS))]
        for rule in column:
            x, y = corner[rule]
            ax.add_patch(FancyBboxPatch((x, y - 0.2), WIDTH, 0.4, "round,pad=0,rounding_size=0.1", fc="white", ec=colour, lw=2, zorder=2))
            said = rule if jobs[rule] == 1 else f"{rule}, {jobs[rule]} jobs"
            ax.text(x + WIDTH / 2, y, said, ha="center", va="center", fontsize=10.5, zorder=3)
    return drawn


def main(dot: str, out: str) -> None:
    """Write the PNG `out`. Raises ValueError, RecordError."""
    image = io.BytesIO()
    figure(dot).savefig(image, format="png")
    atomic_write(Path(out), image.getvalue())


if __name__ == "__main__":
    main(sys.stdin.read(), sys.argv[1])
