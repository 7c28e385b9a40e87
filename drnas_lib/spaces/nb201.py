"""The NAS-Bench-201 space: one kind of cell, four nodes, six edges, five operations on each."""

from drnas_lib.genotype import NB201_EDGES, NB201_OPERATIONS, Nb201Genotype
from drnas_lib.spaces.space import Scores, Space


def decode(operations: tuple[str, ...], scores: Scores) -> Nb201Genotype:
    """The best operation of each edge, 'none' allowed; of equal scores the first operation. `scores` is (1, E, O)."""
    (cell,) = scores
    return Nb201Genotype(tuple(operations[row.index(max(row))] for row in cell))


NB201 = Space("nb201", NB201_OPERATIONS, NB201_EDGES, nodes=4, groups=("cell",), decode=decode)
