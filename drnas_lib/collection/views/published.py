"""The paper's tables and the numbers in its text, as params/paper has them."""

from typing import Any

from drnas_lib.runs.files import PROJECT, read_json

PAPER = PROJECT / "params" / "paper"


def paper_table(number: int) -> dict[str, Any]:
    """A published table; its rows are under "rows"."""
    return read_json(PAPER / f"table{number}.json")


def paper_text() -> dict[str, Any]:
    """The numbers in the paper's text."""
    return read_json(PAPER / "text.json")
