"""The NAS-Bench-201 space: one kind of cell, four nodes, six edges, five operations on each."""

from drnas_lib.genotype import NB201_EDGES, NB201_OPERATIONS, Nb201Genotype
from drnas_lib.spaces.space import Scores, Space


def decode(scores: Scores) -> Nb201Genotype:
    """The best operation of each edge, 'none' allowed; of equal scores the first operation. `scores` is (1, E, O)."""
    (cell,) = scores
    return Nb201Genotype(tuple(NB201_OPERATIONS[row.index(max(row))] for row in cell))


NB201 = Space(
    name="nb201",
    operations=NB201_OPERATIONS,
    edges=NB201_EDGES,
    nodes=4,
    groups=("cell",),
    decode=decode,
)
