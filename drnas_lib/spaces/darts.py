"""The DARTS space: a normal and a reduction cell of four computed nodes, eight operations on each of the 14 edges."""

from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype
from drnas_lib.spaces.space import Scores, Space

NODES = 6  # the outputs of the two cells before, then four that are computed
EDGES = tuple((source, target) for target in range(DARTS_CELL_INPUTS, NODES) for source in range(target))
GROUPS = ("normal", "reduce")
OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
INPUTS_KEPT = 2  # of every computed node


def decoder(operations: tuple[str, ...]):
    """The rule of Liu et al., *DARTS*, section 2.4: of every node the two edges whose best operation scores most, each with that operation.

    'none' is never chosen. Equal scores go to the earlier edge and the earlier operation. Inputs are listed in ascending order.
    """
    candidates = [o for o, name in enumerate(operations) if name != "none"]
    computed = tuple(range(DARTS_CELL_INPUTS, NODES))

    def cell(of_group) -> tuple[tuple[str, int], ...]:
        best = [max(candidates, key=row.__getitem__) for row in of_group]
        kept = []
        for node in computed:
            into = [e for e, (_, target) in enumerate(EDGES) if target == node]
            strongest = sorted(into, key=lambda e: -of_group[e][best[e]])[:INPUTS_KEPT]
            kept += [(operations[best[e]], EDGES[e][0]) for e in sorted(strongest)]
        return tuple(kept)

    def decode(scores: Scores) -> DartsGenotype:
        normal, reduce = map(cell, scores)
        return DartsGenotype(normal, computed, reduce, computed)

    return decode


DARTS = Space(name="darts", operations=OPERATIONS, edges=EDGES, nodes=NODES, groups=GROUPS, decode=decoder(OPERATIONS))
