"""The DARTS space, its cells of two inputs a node (`decode`: from scores to a cell), eight operations on 14 edges; and S1 to S4."""

from collections.abc import Sequence

from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype
from drnas_lib.spaces.space import Choices, Scores, Space

NODES = 6  # the outputs of the two cells before, then four that are computed
COMPUTED = tuple(range(DARTS_CELL_INPUTS, NODES))
EDGES = tuple((source, target) for target in COMPUTED for source in range(target))
INPUTS_KEPT = 2  # of every computed node
MAX, AVG, SKIP, SEP3, SEP5 = "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"
DIL3, DIL5 = "dil_conv_3x3", "dil_conv_5x5"


def decode(operations: tuple[str, ...], scores: Scores) -> DartsGenotype:
    """The rule of Liu et al., *DARTS*, section 2.4: of every node the two edges whose best operation scores most, each with that operation.

    'none' is never chosen. Equal scores go to the earlier edge and the earlier operation. Inputs are listed in ascending order.
    """
    normal, reduce = (_cell(operations, of_group) for of_group in scores)
    return DartsGenotype(normal, COMPUTED, reduce, COMPUTED)


def _cell(operations: tuple[str, ...], scores: Sequence[Sequence[float]]) -> tuple[tuple[str, int], ...]:
    """(operation, source) of the kept edges, node by node; `scores` (E, O)."""
    candidates = [o for o, name in enumerate(operations) if name != "none"]
    best = [max(candidates, key=row.__getitem__) for row in scores]
    kept = []
    for node in COMPUTED:
        into = [e for e, (_, target) in enumerate(EDGES) if target == node]
        strongest = sorted(into, key=lambda e: -scores[e][best[e]])[:INPUTS_KEPT]
        kept += [(operations[best[e]], EDGES[e][0]) for e in sorted(strongest)]
    return tuple(kept)


def darts_space(name: str, operations: tuple[str, ...], choices: Choices | None = None) -> Space:
    """A space whose cells are those of DARTS, with other operations on the edges; `choices` (G, E) names those of each edge."""
    return Space(name, operations, EDGES, NODES, ("normal", "reduce"), decode, choices)


DARTS = darts_space("darts", ("none", MAX, AVG, SKIP, SEP3, SEP5, DIL3, DIL5))

# The spaces of Zela et al. (ICLR 2020), in which DARTS fails: few operations on an edge. In S1 the two that DARTS ranks highest on each.
S1_CHOICES = (
    (
        ((SKIP, DIL3), (SKIP, DIL5))
        + ((SKIP, DIL5), (SKIP, SEP3), (SKIP, DIL3))
        + ((MAX, SKIP), (SKIP, SEP3), (SKIP, SEP3), (SKIP, DIL3))
        + ((SKIP, SEP3), (MAX, SKIP), (SKIP, DIL3), (DIL3, DIL5), (DIL3, DIL5))
    ),
    (
        ((MAX, AVG), (MAX, DIL3))
        + ((MAX, AVG), (MAX, AVG), (SKIP, DIL5))
        + ((MAX, AVG), (MAX, SEP3), (SKIP, DIL3), (SKIP, DIL5))
        + ((MAX, AVG), (MAX, AVG), (SKIP, DIL5), (SKIP, DIL5), (SKIP, DIL5))
    ),
)
S1 = darts_space("s1", (MAX, AVG, SKIP, SEP3, DIL3, DIL5), S1_CHOICES)
S2 = darts_space("s2", (SKIP, SEP3))
S3 = darts_space("s3", ("none", SKIP, SEP3))
S4 = darts_space("s4", ("noise", SEP3))
