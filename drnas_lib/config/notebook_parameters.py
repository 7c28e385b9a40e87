"""Which globals of a notebook are its parameters; all others are left alone."""

import ast
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

PLAIN = (type(None), bool, int, float, str, list, tuple, dict)
OF_IPYTHON = ("In", "Out")  # its only plain values that do not start with an underscore


def given_parameters(names: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The known names, and other plain values that may be misspelt parameters: in IPython only what the parameter cells assign."""
    plain = {name for name, value in names.items() if type(value) in PLAIN and not name.startswith("_") and name not in OF_IPYTHON}
    assigned = _assigned(names.get("In", []))
    taken = {*known, *(plain if assigned is None else plain & assigned)}
    return {name: value for name, value in names.items() if name in taken}


def _assigned(cells: list[str]) -> set[str] | None:
    """The names assigned from the parameters to the configuration, None where no cell looks like parameters.

    The parameters are the last cell with a line `name: type = value`; papermill puts a cell of its own behind it. Names assigned after
    the configuration are no parameters of it, even when that cell alone is run again.
    """
    bodies = [_statements(cell) for cell in cells]
    start = max((i for i, body in enumerate(bodies) if any(isinstance(line, ast.AnnAssign) for line in body)), default=None)
    if start is None:
        return None
    end = next((i for i in range(start, len(cells)) if "from_notebook" in cells[i]), len(cells))
    nodes = [node for body in bodies[start:end] for line in body for node in ast.walk(line)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _statements(cell: str) -> list[ast.stmt]:
    """The statements of a cell; none for a cell with magics, which are not Python."""
    with suppress(SyntaxError):
        return ast.parse(cell).body
    return []
