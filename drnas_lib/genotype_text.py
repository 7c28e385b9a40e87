"""A cell as somebody pastes it, read and never executed. `READERS` has the forms:

    |nor_conv_3x3~0|+|...|+|...|                                     NAS-Bench-201, as the benchmark and a search here print it
    normal: sep_conv_3x3~0 skip_connect~1 | ...; reduce: ...         DARTS, as a search here prints it
    NAME = Genotype(normal=[('sep_conv_3x3', 0), ...], ...)          DARTS, as the authors' codes print and keep it
    {"space": "darts", "normal": [["sep_conv_3x3", 0], ...], ...}    what genotype.json holds
"""

import ast
import re
from collections.abc import Callable
from typing import Any

from drnas_lib.errors import shown
from drnas_lib.genotype import DartsGenotype, Genotype, GenotypeError, Nb201Genotype, genotype_from_json

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")  # in the order of the authors' namedtuple
EXPECTED = f"expected Genotype({', '.join(f'{name}=...' for name in FIELDS)}) and nothing else"
MOST_NODES = 100  # more is no cell, and range() would fill the memory


def reader(text: str) -> Callable[[str], Genotype] | None:
    """What reads this text as a cell, None where it looks like none of the forms. The reader raises GenotypeError."""
    return next((read for pattern, read in READERS.items() if re.match(pattern, text.strip())), None)


def from_python(text: str) -> DartsGenotype:
    """`Genotype(...)`, with or without a name before it. Raises GenotypeError."""
    call = _parsed(text)
    called = call.func if isinstance(call, ast.Call) else None
    if getattr(called, "id", getattr(called, "attr", None)) != "Genotype" or len(call.args) > len(FIELDS):
        raise GenotypeError(f"{EXPECTED}; got {shown(text)}")
    nodes = dict(zip(FIELDS, call.args)) | {keyword.arg: keyword.value for keyword in call.keywords}
    if set(nodes) != set(FIELDS):
        raise GenotypeError(f"{EXPECTED}; got {', '.join(map(str, nodes)) or 'nothing'} in it")
    return DartsGenotype(**{name: _value(node, name) for name, node in nodes.items()})


def from_mapping(text: str) -> Genotype:
    """The content of genotype.json. Raises GenotypeError."""
    return genotype_from_json(_value(_parsed(text), "the cell"))


def _parsed(text: str) -> ast.expr | None:
    """The one value that the text states, None where it states more or something else."""
    try:
        body = ast.parse(text.strip().rstrip(",;")).body
    except SyntaxError as error:
        raise GenotypeError(f"the text breaks off or is mistyped at character {error.offset} ({error.msg}); paste all of it") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise GenotypeError(f"the text is no cell ({error}); {EXPECTED}") from error
    return getattr(body[0], "value", None) if len(body) == 1 else None


def _value(node: ast.expr | None, name: str) -> Any:
    """A literal, or a range of nodes as a tuple."""
    try:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("range", "list", "tuple") and not node.keywords:
            inner = [_value(argument, name) for argument in node.args]
            return _nodes(inner, name) if node.func.id == "range" else [entry for part in inner for entry in part]
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise GenotypeError(f"{name}: expected plain values such as [('sep_conv_3x3', 0), ...] or range(2, 6) ({error})") from error


def _nodes(bounds: list, name: str) -> tuple[int, ...]:
    if not 1 <= len(bounds) <= 2 or not all(type(bound) is int and 0 <= bound <= MOST_NODES for bound in bounds):
        raise GenotypeError(f"{name}: expected a range of nodes such as range(2, 6), got range({', '.join(map(shown, bounds))})")
    return tuple(range(*bounds))


READERS: dict[str, Callable[[str], Genotype]] = {
    r"\|": Nb201Genotype.parse,
    r"(?i)(normal|reduce)\s*:": DartsGenotype.parse,
    r"(?i)(\w+\s*=\s*)?(\w+\.)*genotype\s*\(": from_python,
    r"\{": from_mapping,
}
