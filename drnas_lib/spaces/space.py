"""A search space: the candidate operations of each edge. The rule from scores to a cell is `decode` in the file of the space."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from drnas_lib.genotype import Genotype

Scores = Sequence[Sequence[Sequence[float]]]  # (G, E, O)
Choices = tuple[tuple[tuple[str, ...], ...], ...]  # (G, E) the operations of each edge


@dataclass(frozen=True)
class Space:
    """The cells that a search chooses from. `shape` = (G, E, O) is the shape of eta, of its mask and of theta."""

    name: str
    operations: tuple[str, ...]  # (O,)
    edges: tuple[tuple[int, int], ...]  # (E,) pairs (source node, target node)
    nodes: int  # inputs of the cell included; the last one is the output
    groups: tuple[str, ...]  # (G,) the kinds of cell, each with scores of its own
    decode: Callable[[tuple[str, ...], Scores], Genotype]  # the cell of `operations` and scores
    choices: Choices | None = None  # None: all operations on every edge

    @property
    def shape(self) -> tuple[int, int, int]:
        """(G, E, O): groups, edges, operations."""
        return len(self.groups), len(self.edges), len(self.operations)

    def leaving(self) -> list[list[int]]:
        """The edges that leave each node but the last, by their target."""
        by_source = [[e for e, (source, _) in enumerate(self.edges) if source == node] for node in range(self.nodes - 1)]
        return [sorted(edges, key=lambda e: self.edges[e][1]) for edges in by_source]

    def initial_mask(self, keep: int) -> list[list[list[bool]]]:
        """(G, E, O): the candidates where each edge begins with `keep` operations, all or all but 'none'. Raises ValueError for others."""
        groups, edges, _ = self.shape
        choices = self.choices or groups * (edges * (self.operations,),)
        return [[[name in self._candidates(edge, keep) for name in self.operations] for edge in group] for group in choices]

    def _candidates(self, allowed: tuple[str, ...], keep: int) -> tuple[str, ...]:
        without_none = tuple(name for name in allowed if name != "none")
        for names in (allowed, without_none):
            if len(names) == keep:
                return names
        numbers = " or ".join(map(str, sorted({len(allowed), len(without_none)})))
        raise ValueError(f"keep={keep}: an edge of space {self.name!r} begins with {numbers} operations")

    def genotype(self, scores: Any) -> Genotype:
        """The cell with the highest `scores` (G, E, O), tensor or array; -inf: unavailable. Raises ValueError for other shapes and NaN."""
        if tuple(scores.shape) != self.shape:
            raise ValueError(f"scores of space {self.name!r} must have shape {self.shape}, got {tuple(scores.shape)}")
        rows = scores.tolist()
        if any(math.isnan(score) for group in rows for edge in group for score in edge):
            raise ValueError(f"scores of space {self.name!r} contain NaN: {rows}")
        return self.decode(self.operations, rows)
