"""A derived cell as a value, and the operations that a cell may have (a new one starts here). Parsed, printed, validated, as JSON.

`Nb201Genotype` (Dong & Yang, *NAS-Bench-201*, ICLR 2020, section 2.1) has one operation on each of the six edges between four nodes;
`DartsGenotype` (Liu et al., *DARTS*, ICLR 2019, section 2.4) has two inputs for each intermediate node.
"""

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from drnas_lib.errors import UserError, short_repr

NB201_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NB201_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # (source, target), in the order of the printed string
NB201_TEXT = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
DARTS_OPERATIONS = (
    "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5",
    "conv_7x1_1x7", "noise",
)  # fmt: skip
DARTS_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
DARTS_CELL_INPUTS = 2  # nodes 0 and 1 are the outputs of the two cells before

Edge = tuple[int, int, str]  # source node, target node, operation


class GenotypeError(UserError, ValueError):
    """A description of a cell is invalid. The message says what is wrong, where, and what is allowed."""


@dataclass(frozen=True)
class Nb201Genotype:
    """A NAS-Bench-201 cell: `operations[i]` is on the edge `NB201_EDGES[i]`. Raises GenotypeError."""

    operations: tuple[str, ...]  # (E,) = 6

    def __post_init__(self):
        object.__setattr__(self, "operations", tuple(self.operations))  # a list would compare and hash differently
        if len(self.operations) != len(NB201_EDGES):
            expected = f"a NAS-Bench-201 cell has {len(NB201_EDGES)} operations, one for each edge {NB201_EDGES}"
            raise GenotypeError(f"{expected}; got {len(self.operations)}: {self.operations}")
        for (source, target), operation in zip(NB201_EDGES, self.operations, strict=True):
            _check_operation(operation, NB201_OPERATIONS, f"edge {source}->{target}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """A cell in the benchmark's form NB201_TEXT, in which `op~s` reads node s. Raises GenotypeError."""
        if not isinstance(text, str):
            raise GenotypeError(f"a cell must be a text such as {NB201_TEXT!r}, got {short_repr(text)}")
        forms, nodes = NB201_TEXT.split("+"), text.split("+")
        if len(nodes) != len(forms):
            raise GenotypeError(f"expected {len(forms)} nodes joined by '+', as in {NB201_TEXT!r}; got {len(nodes)} in {short_repr(text)}")
        operations: list[str] = []
        for target, (form, node) in enumerate(zip(forms, nodes), start=1):
            found = re.fullmatch(re.escape(form).replace("op", "([^|~]*)"), node)
            if found is None:
                raise GenotypeError(f"node {target}: expected {form!r}, got {short_repr(node)} in {short_repr(text)}")
            operations += found.groups()
        return cls(tuple(operations))

    def __str__(self) -> str:
        inputs: dict[int, str] = {}  # target node -> its printed inputs
        for source, target, operation in self.edges():
            inputs[target] = inputs.get(target, "|") + f"{operation}~{source}|"
        return "+".join(inputs.values())

    def edges(self) -> tuple[Edge, ...]:
        """(source, target, operation) of all six edges, 'none' included."""
        return tuple((*edge, operation) for edge, operation in zip(NB201_EDGES, self.operations, strict=True))

    def to_json(self) -> dict:
        """A dict of plain JSON types; `genotype_from_json` reads it back."""
        return {"space": "nb201", "cell": str(self)}


DARTS_TEXT = "normal: op~0 op~1 | op~0 op~2 | ...; reduce: op~0 op~1 | ..."
DartsCell = tuple[tuple[str, int], ...]  # (operation, input node); two consecutive entries for each intermediate node


@dataclass(frozen=True)
class DartsGenotype:
    """A normal and a reduction cell of the DARTS space. Raises GenotypeError.

    Nodes 0 and 1 are the cell's inputs (the cell before last, the last cell); `*_concat` names the nodes whose outputs are concatenated.
    """

    normal: DartsCell
    normal_concat: tuple[int, ...]
    reduce: DartsCell
    reduce_concat: tuple[int, ...]

    def __post_init__(self):
        for kind in ("normal", "reduce"):
            cell, concat = _checked_cell(getattr(self, kind), getattr(self, f"{kind}_concat"), kind)
            object.__setattr__(self, kind, cell)  # tuples throughout: lists would compare and hash differently
            object.__setattr__(self, f"{kind}_concat", concat)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cell that `str` writes. Raises GenotypeError."""
        cells: dict[str, tuple[DartsCell, tuple[int, ...]]] = {}
        for part in text.strip().rstrip(";").split(";"):
            kind, colon, nodes = part.partition(":")
            kind = kind.strip().lower()
            if not colon or kind not in ("normal", "reduce") or kind in cells:
                raise GenotypeError(f"expected {DARTS_TEXT!r}, got {short_repr(part.strip())}")
            cells[kind] = _parsed_cell(nodes, kind)
        if missing := {"normal", "reduce"} - set(cells):
            raise GenotypeError(f"expected {DARTS_TEXT!r}; the {missing.pop()} cell is missing in {short_repr(text)}")
        return cls(*cells["normal"], *cells["reduce"])

    def __str__(self) -> str:
        """`normal: op~0 op~1 | op~0 op~2 | ...; reduce: ...`, a pair for each computed node, like the text of NAS-Bench-201.

        If a cell concatenates only some of its nodes, their numbers follow it: `[4 5 6]`.
        """
        return "; ".join(f"{kind}: {self._text(kind)}" for kind in ("normal", "reduce"))

    def _text(self, kind: str) -> str:
        inputs = [f"{operation}~{source}" for source, _, operation in self.edges(kind)]
        concat: tuple[int, ...] = getattr(self, f"{kind}_concat")
        nodes = "" if concat == _computed(len(inputs) // 2) else f" [{' '.join(map(str, concat))}]"
        return " | ".join(f"{first} {second}" for first, second in zip(inputs[::2], inputs[1::2])) + nodes

    def edges(self, kind: str) -> tuple[Edge, ...]:
        """(source, target, operation) of the edges of the cell `kind`, 'normal' or 'reduce'."""
        cell: DartsCell = getattr(self, kind)
        return tuple((source, DARTS_CELL_INPUTS + position // 2, operation) for position, (operation, source) in enumerate(cell))

    def to_json(self) -> dict:
        """A dict of plain JSON types; `genotype_from_json` reads it back."""
        listed = lambda name: [list(entry) if isinstance(entry, tuple) else entry for entry in getattr(self, name)]
        return {"space": "darts"} | {name: listed(name) for name in DARTS_FIELDS}


Genotype = Nb201Genotype | DartsGenotype


def genotype_from_json(data: Any) -> Genotype:
    """The cell that `to_json` wrote. Raises GenotypeError."""
    if not isinstance(data, dict):
        raise GenotypeError(f"a genotype is a JSON object, got {type(data).__name__}: {short_repr(data)}")
    try:
        if data["space"] == "nb201":
            return Nb201Genotype.parse(data["cell"])
        if data["space"] == "darts":
            return DartsGenotype(*(data[name] for name in DARTS_FIELDS))
    except KeyError as error:
        raise GenotypeError(f"{error} is missing; the keys found are {', '.join(map(short_repr, data)) or 'none'}") from error
    raise GenotypeError(f"unknown space {short_repr(data['space'])}; allowed: nb201, darts")


def all_nb201() -> Iterator[Nb201Genotype]:
    """All 5**6 = 15,625 cells, the last edge varying fastest."""
    for operations in itertools.product(NB201_OPERATIONS, repeat=len(NB201_EDGES)):
        yield Nb201Genotype(operations)


def _check_operation(operation: Any, allowed: tuple[str, ...], where: str) -> None:
    if operation not in allowed:
        nearest = difflib.get_close_matches(short_repr(operation), allowed, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise GenotypeError(f"{where}: unknown operation {short_repr(operation)}; allowed: {', '.join(allowed)}{hint}")


def _computed(nodes: int) -> tuple[int, ...]:
    """The numbers of the computed nodes of a DARTS cell."""
    return tuple(range(DARTS_CELL_INPUTS, DARTS_CELL_INPUTS + nodes))


def _parsed_cell(text: str, kind: str) -> tuple[DartsCell, tuple[int, ...]]:
    """Cell and concatenated nodes of `op~0 op~1 | op~0 op~2 [2 3]`."""
    cell, bracket, concat = text.partition("[")
    nodes = [node.split() for node in cell.split("|")]
    for target, inputs in enumerate(nodes, start=DARTS_CELL_INPUTS):
        if len(inputs) != 2 or not all(re.fullmatch(r"\w+~\d{1,3}", entry, re.ASCII) for entry in inputs):
            expected = "two inputs such as 'sep_conv_3x3~0 skip_connect~1'"
            raise GenotypeError(f"{kind} cell, node {target}: expected {expected}, got {short_repr(' '.join(inputs))}")
    if bracket and not re.fullmatch(r"\s*\d{1,3}(\s+\d{1,3})*\s*\]\s*", concat, re.ASCII):
        raise GenotypeError(f"{kind} cell: expected the concatenated nodes such as [4 5 6] at its end, got {short_repr(bracket + concat)}")
    entries = tuple((operation, int(source)) for inputs in nodes for operation, source in (entry.split("~") for entry in inputs))
    return entries, tuple(map(int, concat.rstrip(" ]").split())) if bracket else _computed(len(nodes))


def _checked_cell(entries: Any, concat: Any, kind: str) -> tuple[DartsCell, tuple[int, ...]]:
    """Entries and concatenated nodes of a valid cell, as tuples. Raises GenotypeError."""
    pair = "a pair (operation, input node)"
    if not isinstance(entries, list | tuple):
        raise GenotypeError(f"{kind} cell: expected a list, each entry {pair}, got {short_repr(entries)}")
    for position, entry in enumerate(entries):
        if not isinstance(entry, list | tuple) or len(entry) != 2 or type(entry[1]) is not int:
            raise GenotypeError(f"{kind} cell, entry {position}: expected {pair}, got {short_repr(entry)}")
        (operation, source), target = entry, DARTS_CELL_INPUTS + position // 2
        _check_operation(operation, DARTS_OPERATIONS, f"{kind} cell, node {target}")
        if not 0 <= source < target:
            raise GenotypeError(f"{kind} cell, node {target}: input {source} is not an earlier node; allowed: 0 to {target - 1}")
    if not entries or len(entries) % 2:
        raise GenotypeError(f"{kind} cell: every node has two inputs, so the number of entries is even and above 0; got {len(entries)}")
    computed = _computed(len(entries) // 2)
    if not isinstance(concat, list | tuple) or not all(type(node) is int for node in concat):
        raise GenotypeError(f"{kind}_concat: expected a list of node numbers, got {short_repr(concat)}")
    if not concat or len(set(concat)) != len(concat) or not set(concat) <= set(computed):
        raise GenotypeError(f"{kind}_concat: expected distinct nodes out of {', '.join(map(str, computed))}, got {list(concat)}")
    return tuple((operation, source) for operation, source in entries), tuple(concat)
