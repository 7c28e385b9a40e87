"""Cells as graphs, as in Figures 2 and 3: layers from left to right, long edges led around the nodes between (Sugiyama's method)."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.bezier import BezierSegment
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from drnas_lib.collection.views.style import LABELS, OPERATION_COLOURS, new_figure
from drnas_lib.genotype import DARTS_CELL_INPUTS, NB201_EDGES, Genotype, Nb201Genotype

OUTPUT = -1
STEP = 2.6  # from layer to layer, where 1 is the distance of two neighbours in a layer
SWEEPS = 12
GAP = 0.3  # between the arrow's point and the middle of its node
WIDE, HIGH = 1.05, 0.3  # room for a label
LABEL_PLACES = (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.22, 0.78)  # on a piece of a curve, the best first
GREEN, BLUE, YELLOW = "#dff0e4", "#dbe9f6", "#fdf0d0"  # inputs, computed nodes, output
CELLS = {"normal": "normal cell", "reduce": "reduction cell", "": ""}

Edge = tuple[int, int, str | None]  # source, target, operation; None joins a node to the output
Item = int | tuple[int, int]  # a node, or the place (edge, layer) where a long edge passes a layer
Point = tuple[float, float]


@dataclass(frozen=True)
class Graph:
    """`edges` are ordered by target; `nodes`, from input to output, have a label and a colour."""

    edges: Sequence[Edge]
    nodes: dict[int, tuple[str, str]]


def draw_cell(genotype: Genotype, title: str, kind: str | None = None) -> Figure:
    """The graph of a cell; of a DARTS cell that of `kind`, 'normal' or 'reduce', or with None both, one above the other."""
    graphs = {name: graph for name, graph in cell_graphs(genotype).items() if kind in (None, name) or not name}
    layers = [arrange(graph)[0] for graph in graphs.values()]
    tall = [0.9 * max(map(len, of_graph)) + 0.6 for of_graph in layers]
    width = 1.9 * max(map(len, layers)) + 0.6
    figure, axes = new_figure(len(graphs), 1, width, sum(tall) + 0.4, height_ratios=tall)
    for ax, (name, graph) in zip(axes.flat, graphs.items()):
        _draw(ax, graph)
        ax.set_title(CELLS[name], fontsize=10)
    figure.suptitle(title, wrap=True)
    return figure


def cell_graphs(genotype: Genotype) -> dict[str, Graph]:
    """The graph of each kind of cell; a NAS-Bench-201 cell has one kind, without a name."""
    if isinstance(genotype, Nb201Genotype):
        last = NB201_EDGES[-1][1]
        nodes = {0: ("in", GREEN)} | {node: (str(node), BLUE) for node in range(1, last)} | {last: ("out", YELLOW)}
        return {"": Graph(genotype.edges(), nodes)}
    graphs = {}
    for kind, concat in (("normal", genotype.normal_concat), ("reduce", genotype.reduce_concat)):
        computed = {target: (str(target - DARTS_CELL_INPUTS), BLUE) for _, target, _ in genotype.edges(kind)}
        nodes = {0: ("$c_{k-2}$", GREEN), 1: ("$c_{k-1}$", GREEN)} | computed | {OUTPUT: ("$c_k$", YELLOW)}
        graphs[kind] = Graph([*genotype.edges(kind), *((node, OUTPUT, None) for node in concat)], nodes)
    return graphs


def _draw(ax: Axes, graph: Graph) -> None:
    layers, routes = arrange(graph)
    height, pairs = heights(layers), [(source, target) for source, target, _ in graph.edges]
    at = {item: (STEP * x, -height[item]) for x, layer in enumerate(layers) for item in layer}
    taken = [at[node] for node in graph.nodes]
    for number, ((_, _, operation), route) in enumerate(zip(graph.edges, routes)):
        double = pairs.count(pairs[number]) > 1  # two edges between the same nodes: one runs below, one above
        curve = list(_curve([at[item] for item in route], 0.0 if not double else 0.3 if pairs[number] in pairs[:number] else -0.3))
        path = Path([curve[0][0], *(point for piece in curve for point in piece[1:])], [Path.MOVETO, *[Path.CURVE4] * (3 * len(curve))])
        line = "--" if operation is None else ":" if operation == "none" else "-"
        colour, width = ("0.6", 1.2) if operation is None else (OPERATION_COLOURS[operation], 2.2)
        ax.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=14, capstyle="round", color=colour, ls=line, lw=width))
        if operation is not None:
            taken.append(_free_place(curve, taken))
            box = dict(boxstyle="round,pad=0.15", fc="white", ec=colour, lw=1)
            ax.text(*taken[-1], LABELS[operation], ha="center", va="center", fontsize=8, bbox=box, zorder=3)
    for node, (name, face) in graph.nodes.items():
        ax.text(*at[node], name, ha="center", va="center", fontsize=10, zorder=4, bbox=dict(boxstyle="round,pad=0.35", fc=face, ec="0.3"))
    tallest = max(map(len, layers))
    ax.set(xlim=(-0.6, STEP * (len(layers) - 1) + 0.6), ylim=(-tallest / 2, tallest / 2))
    ax.axis("off")


def _curve(points: list[Point], bulge: float) -> Iterator[list[Point]]:
    """Cubic Bezier pieces (four points each) through all points, level at each; the last ends at the border of its node."""
    for (x0, y0), (x1, y1) in itertools.pairwise([*points[:-1], (points[-1][0] - GAP, points[-1][1])]):
        bend = (x1 - x0) / 2
        yield [(x0, y0), (x0 + bend, y0 + bulge), (x1 - bend, y1 + bulge), (x1, y1)]


def _free_place(curve: list[list[Point]], taken: list[Point]) -> Point:
    """On the curve, half way or as near to that as keeps the labels apart; where no place does, that with most room."""
    candidates = [tuple(BezierSegment(piece)(t)) for t in LABEL_PLACES for piece in curve]
    room = lambda place: min(max(abs(place[0] - x) / WIDE, abs(place[1] - y) / HIGH) for x, y in taken)
    return next((place for place in candidates if room(place) >= 1), max(candidates, key=room))


def arrange(graph: Graph) -> tuple[list[list[Item]], list[list[Item]]]:
    """The items of each layer from top to bottom, and the items that each edge runs through."""
    depth = dict.fromkeys(graph.nodes, 0)
    for source, target, _ in graph.edges:
        depth[target] = max(depth[target], depth[source] + 1)
    layers: list[list[Item]] = [[node for node in graph.nodes if depth[node] == x] for x in range(max(depth.values()) + 1)]
    routes: list[list[Item]] = []
    for number, (source, target, _) in enumerate(graph.edges):
        between = range(depth[source] + 1, depth[target])
        routes.append([source, *((number, x) for x in between), target])
        for x in between:
            layers[x].append((number, x))
    links = [link for route in routes for link in itertools.pairwise(route)]
    best = layers
    for sweep in range(SWEEPS):  # to the right and back: each layer in the order of its neighbours' means
        side = sweep % 2
        for x in range(len(layers) - 2, -1, -1) if side else range(1, len(layers)):
            height = heights(layers)
            near = {item: [height[link[side]] for link in links if link[1 - side] == item] or [height[item]] for item in layers[x]}
            layers = [*layers[:x], sorted(layers[x], key=lambda item: fmean(near[item])), *layers[x + 1 :]]
        best = min(best, layers, key=lambda order: tangle(order, links))
    return best, routes


def heights(layers: list[list[Item]]) -> dict[Item, float]:
    """Of each item, downwards from the middle of its layer."""
    return {item: y - (len(layer) - 1) / 2 for layer in layers for y, item in enumerate(layer)}


def tangle(layers: list[list[Item]], links: list[tuple[Item, Item]]) -> tuple[int, float]:
    """Number of crossings, and the heights that the edges climb."""
    height, at = heights(layers), {item: x for x, layer in enumerate(layers) for item in layer}
    crossings = sum(
        at[a] == at[c] and (height[a] - height[c]) * (height[b] - height[d]) < 0 for (a, b), (c, d) in itertools.combinations(links, 2)
    )
    return crossings, sum(abs(height[a] - height[b]) for a, b in links)
