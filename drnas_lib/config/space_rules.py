"""Which parameters of a search each space allows, checked before anything is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drnas_lib.config.presets import ROBUST_SPACES


@dataclass(frozen=True)
class Rules:
    """What a search in this space allows."""

    operations: tuple[int, ...]  # possible numbers of operations on an edge in the first stage
    cells: str  # what the parameter `cells` counts
    least_cells: int
    macros: tuple[str, ...] = ("cifar", "imagenet")
    drops_paths: bool = True
    benchmark: bool = False
    methods: tuple[str, ...] | None = None  # None: all


MIXING = ("drnas", "darts", "darts_2nd", "snas")  # the other methods need networks that only NAS-Bench-201 has
RULES = {
    "nb201": Rules((5,), "cells per stage", 1, macros=("cifar",), drops_paths=False, benchmark=True),
    "darts": Rules((7, 8), "cells", 3, methods=MIXING),
    **{space: Rules((operations,), "cells", 3, methods=MIXING) for space, operations in ROBUST_SPACES.items()},
}
MOST_OPERATIONS = max(max(rules.operations) for rules in RULES.values())


def problems(space: str, method: str, progressive: bool | None, values: dict[str, Any]) -> Iterator[str]:
    """A sentence for each value that the space does not allow."""
    rules, of_space = RULES[space], f"with space={space!r}"
    if rules.methods is not None and method not in rules.methods:
        yield f"method={method!r} {of_space}: allowed are {', '.join(rules.methods)}."
    if values["evaluate"] == "table" and not rules.benchmark:
        yield f"evaluate='table' {of_space}: the benchmark covers only nb201. Allowed are train, none."
    if values["cells"] < rules.least_cells:
        yield f"cells={values['cells']} {of_space}: two cells reduce, so a normal one needs {rules.least_cells} or more."
    if values["macro"] not in rules.macros:
        yield f"macro={values['macro']!r} {of_space}: allowed is {', '.join(rules.macros)}."
    if values["drop_path"] and not rules.drops_paths:
        yield f"drop_path={values['drop_path']} {of_space}: only the DARTS space and S1 to S4 leave out paths. Allowed is 0."
    if progressive and len(rules.operations) == 1 and not rules.benchmark:
        yield f"progressive=True {of_space}: an edge has no more than {rules.operations[0]} operations, nothing to prune. Allowed is False."
