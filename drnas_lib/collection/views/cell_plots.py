"""A DARTS cell as a figure: layers from left to right, an edge for every operation, long edges led around the nodes between."""

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from drnas_lib.collection.views.plots import LABELS, OPERATION_COLOURS, new_figure
from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype

OUTPUT = -1
STEP = 2.6  # from layer to layer, where 1 is the distance of two neighbours in a layer
SWEEPS = 12
GAP = 0.3  # between the arrow's point and the middle of its node
WIDE, HIGH = 1.05, 0.3  # room for a label
Item = int | tuple[int, int]  # a node, or the place (edge, layer) where a long edge passes a layer
Edge = tuple[int, int, str | None]  # source, target, operation; None joins a node to the output


def darts_cell(genotype: DartsGenotype, kind: str, title: str = "") -> Figure:
    """The cell `kind`, 'normal' or 'reduce', as Figures 2 and 3 of the paper show it."""
    edges, layers, chains = _arranged(genotype, kind)
    tallest = max(len(layer) for layer in layers)
    figure, ((ax,),) = new_figure(width=1.9 * len(layers) + 0.6, height=0.9 * tallest + 0.7)
    draw_cell(ax, edges, layers, chains)
    ax.set_title(title)
    return figure


def darts_cells(genotype: DartsGenotype, title: str) -> Figure:
    """Both cells, the normal one above the reduction cell."""
    arranged = {kind: _arranged(genotype, kind) for kind in ("normal", "reduce")}
    heights = [0.9 * max(len(layer) for layer in layers) + 0.6 for _, layers, _ in arranged.values()]
    deepest = max(len(layers) for _, layers, _ in arranged.values())
    figure, axes = new_figure(2, 1, width=1.9 * deepest + 0.6, height=sum(heights) + 0.4, height_ratios=heights)
    for ax, (kind, parts) in zip(axes.flat, arranged.items()):
        draw_cell(ax, *parts)
        ax.set_title({"normal": "normal cell", "reduce": "reduction cell"}[kind], fontsize=10)
    figure.suptitle(title)
    return figure


def draw_cell(ax: Axes, edges: list[Edge], layers: list[list[Item]], chains: list[list[Item]]) -> None:
    at = {item: (STEP * x, (len(layer) - 1) / 2 - y) for x, layer in enumerate(layers) for y, item in enumerate(layer)}
    curves = [_curve([at[item] for item in chain], bulge) for chain, bulge in zip(chains, _bulges(edges))]
    taken = [at[node] for node, _, _ in _nodes(layers)]
    for (_, _, operation), curve in zip(edges, curves):
        colour = "0.6" if operation is None else OPERATION_COLOURS[operation]
        style = dict(lw=1.2, ls="--") if operation is None else dict(lw=2.2)
        arrow = FancyArrowPatch(path=Path(*_drawn(curve)), arrowstyle="-|>", mutation_scale=14, color=colour, capstyle="round", **style)
        ax.add_patch(arrow)
        if operation is not None:
            taken.append(_free_place(curve, taken))
            _label(ax, operation, *taken[-1])
    for node, name, face in _nodes(layers):
        box = dict(boxstyle="round,pad=0.35", fc=face, ec="0.3")
        ax.text(*at[node], name, ha="center", va="center", fontsize=10, zorder=4, bbox=box)
    tallest = max(len(layer) for layer in layers)
    ax.set(xlim=(-0.6, STEP * (len(layers) - 1) + 0.6), ylim=(-tallest / 2, tallest / 2))
    ax.axis("off")


def _bulges(edges: list[Edge]) -> list[float]:
    """0, but for two edges between the same nodes, which would lie on each other: one above, one below."""
    ends = [edge[:2] for edge in edges]
    return [0.0 if ends.count(pair) == 1 else 0.3 if pair in ends[:i] else -0.3 for i, pair in enumerate(ends)]


def _nodes(layers: list[list[Item]]):
    names = {0: ("$c_{k-2}$", "#dff0e4"), 1: ("$c_{k-1}$", "#dff0e4"), OUTPUT: ("$c_k$", "#fdf0d0")}
    for node in sorted(item for layer in layers for item in layer if isinstance(item, int)):
        yield node, *names.get(node, (str(node - DARTS_CELL_INPUTS), "#dbe9f6"))


def _label(ax: Axes, operation: str, x: float, y: float) -> None:
    box = dict(boxstyle="round,pad=0.15", fc="white", ec=OPERATION_COLOURS[operation], lw=1)
    ax.text(x, y, LABELS[operation], ha="center", va="center", fontsize=8, bbox=box, zorder=3)


Points = list[tuple[float, float]]


def _curve(points: Points, bulge: float) -> list[Points]:
    """Cubic pieces (four points each) through all points, level at each; the last ends at the border of its node."""
    points = [*points[:-1], (points[-1][0] - GAP, points[-1][1])]
    pieces = []
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        bend = (x1 - x0) / 2
        pieces.append([(x0, y0), (x0 + bend, y0 + bulge), (x1 - bend, y1 + bulge), (x1, y1)])
    return pieces


def _drawn(curve: list[Points]) -> tuple[Points, list]:
    return [curve[0][0], *(point for piece in curve for point in piece[1:])], [Path.MOVETO, *[Path.CURVE4] * (3 * len(curve))]


def _free_place(curve: list[Points], taken: Points) -> tuple[float, float]:
    """On the curve, half way or as near to that as leaves the labels there apart."""
    candidates = [_on(piece, t) for t in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.22, 0.78) for piece in curve]
    space = [min((max(abs(x - a) / WIDE, abs(y - b) / HIGH) for a, b in taken), default=1.0) for x, y in candidates]
    return next((place for place, free in zip(candidates, space) if free >= 1), candidates[space.index(max(space))])


def _on(piece: Points, t: float) -> tuple[float, float]:
    """The point of a Bezier curve at 0 <= t <= 1."""
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    return tuple(sum(w * point[axis] for w, point in zip(weights, piece)) for axis in (0, 1))


def _arranged(genotype: DartsGenotype, kind: str) -> tuple[list[Edge], list[list[Item]], list[list[Item]]]:
    """Edges, the items of each layer from top to bottom, and the items that each edge runs through."""
    operations = list(genotype.edges(kind))
    edges: list[Edge] = [*operations, *((node, OUTPUT, None) for node in getattr(genotype, f"{kind}_concat"))]
    depth = dict.fromkeys(range(DARTS_CELL_INPUTS), 0)
    for source, target, _ in operations:  # in order of the targets
        depth[target] = max(depth.get(target, 0), depth[source] + 1)
    depth[OUTPUT] = max(depth.values()) + 1
    chains: list[list[Item]] = [
        [source, *((number, layer) for layer in range(depth[source] + 1, depth[target])), target]
        for number, (source, target, _) in enumerate(edges)
    ]
    layers: list[list[Item]] = [[] for _ in range(depth[OUTPUT] + 1)]
    for node, layer in depth.items():
        layers[layer].append(node)
    for chain in chains:
        for item in chain[1:-1]:
            layers[item[1]].append(item)
    return edges, _untangled(layers, chains), chains


def _untangled(layers: list[list[Item]], chains: list[list[Item]]) -> list[list[Item]]:
    """Each layer in the order of its neighbours' means, sweeping to and fro; the best of all orders seen (Sugiyama's method)."""
    links = [pair for chain in chains for pair in itertools.pairwise(chain)]
    best = [list(layer) for layer in layers]
    now = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        order = range(1, len(now)) if sweep % 2 == 0 else range(len(now) - 2, -1, -1)
        side = 0 if sweep % 2 == 0 else 1  # of a link, where the neighbours are
        for layer in order:
            place = _places(now)
            means = {item: [place[link[side]] for link in links if link[1 - side] == item and link[side] in place] for item in now[layer]}
            now[layer].sort(key=lambda item: sum(means[item]) / len(means[item]) if means[item] else place[item])
        if _tangle(now, links) < _tangle(best, links):
            best = [list(layer) for layer in now]
    return best


def _places(layers: list[list[Item]]) -> dict[Item, float]:
    return {item: y - (len(layer) - 1) / 2 for layer in layers for y, item in enumerate(layer)}


def _tangle(layers: list[list[Item]], links: list[tuple[Item, Item]]) -> tuple[int, float]:
    """Crossings, then the heights that the edges climb."""
    place, at = _places(layers), {item: x for x, layer in enumerate(layers) for item in layer}
    crossings = sum(
        at[a] == at[c] and (place[a] - place[c]) * (place[b] - place[d]) < 0 for (a, b), (c, d) in itertools.combinations(links, 2)
    )
    return crossings, sum(abs(place[a] - place[b]) for a, b in links)
