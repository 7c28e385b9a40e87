"""The workflow as a picture: a box for each rule of Snakemake's graph of jobs, and a line to each rule that needs it.

snakemake TARGETS --forceall --dag dot | python -m drnas_lib.collection.workflow.picture OUT.png
"""

import io
import re
import sys
from collections import Counter
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve

from drnas_lib.collection.views.cell_plots import Graph, arrange, heights
from drnas_lib.collection.views.style import OTHER, OURS, REFERENCE
from drnas_lib.runs.files import atomic_write

JOB = re.compile(r'^\s*(\d+)\[label = "(\w+)', re.MULTILINE)
ARROW = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)
WIDTH, GAP, HEIGHT = 2.3, 1.5, 0.62  # inches: of a box, between two columns, of a row
GREY = "#9a9a9a"
COLOURS = (OTHER, OURS, REFERENCE)  # of the targets, of tables and studies, of searches and trainings


def read(dot: str) -> tuple[Counter, set[tuple[str, str]]]:
    """Rule -> number of its jobs, in the order of the text; and pairs (rule, rule that needs its results). Raises ValueError."""
    rules = dict(JOB.findall(dot))
    if not rules:
        raise ValueError(f"there are no jobs in {dot[:200]!r}. Give it what `snakemake TARGET --forceall --dag dot` prints.")
    return Counter(rules.values()), {(rules[a], rules[b]) for a, b in ARROW.findall(dot)}


def figure(dot: str) -> Figure:
    """The targets in the last column, every other rule just left of the rules that need it, with the number of its jobs."""
    jobs, needs = read(dot)
    users = {rule: sorted(b for a, b in needs if a == rule) for rule in sorted(jobs)}
    rules = [*TopologicalSorter(users).static_order()]  # each after those that need it
    edges = [(rules.index(b), place, None) for place, a in enumerate(rules) for b in users[a]]
    layers, routes = arrange(Graph(edges, dict.fromkeys(range(len(rules)), ("", ""))))
    wide, rows, height = len(layers) * (WIDTH + GAP) - GAP, max(map(len, layers)), heights(layers)
    corner = {item: (wide - WIDTH - x * (WIDTH + GAP), -height[item] * HEIGHT) for x, layer in enumerate(layers) for item in layer}
    drawn = Figure(figsize=(wide + 0.2, rows * HEIGHT + 0.2), dpi=90)
    ax = drawn.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.1, wide + 0.1), ylim=(-rows * HEIGHT / 2 - 0.1, rows * HEIGHT / 2 + 0.1))
    ax.axis("off")
    for (x, y), (to_x, to_y) in (pair for route in routes for pair in pairwise(corner[item] for item in reversed(route))):
        bend = [(x, y), (x + WIDTH, y), (x + WIDTH + GAP / 2, y), (to_x - GAP / 2, to_y), (to_x, to_y)]
        path = Curve(bend, [Curve.MOVETO, Curve.LINETO, *3 * [Curve.CURVE4]])
        ax.add_patch(PathPatch(path, fill=False, color=GREY, lw=1.1, zorder=1))
    for place, layer in enumerate(layers):
        colour = COLOURS[min(place, len(COLOURS) - 1)]
        for number in (item for item in layer if isinstance(item, int)):  # the others are where a line passes
            (x, y), rule = corner[number], rules[number]
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
