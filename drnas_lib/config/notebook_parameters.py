"""What a notebook states as its parameters, told apart from all else that a user keeps in its globals."""

import ast
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

PLAIN = (type(None), bool, int, float, str, list, tuple, dict)
OF_IPYTHON = ("In", "Out")  # its only plain values that do not start with an underscore


def stated(names: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The known names, whatever their value, and every other plain value that may be one of them with a typing error.

    Where IPython tells which cells were run, that is what the cells of the parameters assign; elsewhere every plain value.
    """
    known, meant = set(known), _assigned(names.get("In", []))
    return {n: v for n, v in names.items() if n in known or (meant is None or n in meant) and _plain(n, v)}


def _plain(name: str, value: Any) -> bool:
    return type(value) in PLAIN and not name.startswith("_") and name not in OF_IPYTHON


def _assigned(cells: list[str]) -> set[str] | None:
    """What is assigned from the parameters to the configuration, None where no cell looks like parameters.

    The parameters are the last cell with a line `name: type = value`; papermill puts a cell of its own behind it. What is assigned after
    the configuration is no parameter of it, even when that cell alone is run again.
    """
    bodies = [_body(cell) for cell in cells]
    start = max((i for i, body in enumerate(bodies) if any(isinstance(line, ast.AnnAssign) for line in body)), default=None)
    if start is None:
        return None
    end = next((i for i in range(start, len(cells)) if "from_notebook" in cells[i]), len(cells))
    nodes = [node for body in bodies[start:end] for line in body for node in ast.walk(line)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _body(cell: str) -> list[ast.stmt]:
    """The statements of a cell; none where it has magics, which are not Python."""
    with suppress(SyntaxError):
        return ast.parse(cell).body
    return []
