"""Find a cell by the name of a published one, the folder of a search, a JSON file, or the cell itself as text. No torch.

Text is parsed and never executed. `READERS` has the forms:

    |nor_conv_3x3~0|+|...|+|...|                                     NAS-Bench-201, as the benchmark and a search here print it
    normal: sep_conv_3x3~0 skip_connect~1 | ...; reduce: ...         DARTS, as a search here prints it
    NAME = Genotype(normal=[('sep_conv_3x3', 0), ...], ...)          DARTS, as the authors' codes print and keep it
    {"space": "darts", "normal": [["sep_conv_3x3", 0], ...], ...}    what genotype.json holds
"""

import ast
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drnas_lib.config.parameters import nearest
from drnas_lib.errors import UserError, short_repr
from drnas_lib.genotype import DARTS_FIELDS, DartsGenotype, Genotype, GenotypeError, Nb201Genotype, genotype_from_json
from drnas_lib.runs import integrity
from drnas_lib.runs.files import PROJECT, RecordError, RunFolder, resolve

EXPECTED = f"expected Genotype({', '.join(f'{name}=...' for name in DARTS_FIELDS)}) and nothing else"
RANGE = re.compile(r"(list\(|tuple\()?range\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)(?(1)\))")  # with list(...) or tuple(...) around it, or not


def reader(text: str) -> Callable[[str], Genotype] | None:
    """The function that reads this text as a cell and raises GenotypeError; None where the text has none of the forms."""
    return next((read for pattern, read in READERS.items() if re.match(pattern, text.strip())), None)


def from_python(text: str) -> DartsGenotype:
    """`Genotype(...)`, with or without a name before it. Raises GenotypeError."""
    call = _expression(RANGE.sub(lambda found: str([*range(int(found[2]), int(found[3]))]), text))
    name = getattr(call.func, "id", getattr(call.func, "attr", None)) if isinstance(call, ast.Call) else None
    if not isinstance(call, ast.Call) or name != "Genotype" or len(call.args) > len(DARTS_FIELDS):
        raise GenotypeError(f"{EXPECTED}; got {short_repr(text)}")
    nodes = dict(zip(DARTS_FIELDS, call.args)) | {str(keyword.arg): keyword.value for keyword in call.keywords}
    if set(nodes) != set(DARTS_FIELDS):
        raise GenotypeError(f"{EXPECTED}; got {', '.join(nodes) or 'nothing'} in it")
    return DartsGenotype(**{name: _value(node, name) for name, node in nodes.items()})


def from_mapping(text: str) -> Genotype:
    """The content of genotype.json. Raises GenotypeError."""
    return genotype_from_json(_value(_expression(text), "the cell"))


def _expression(text: str) -> ast.expr:
    """The only expression in the text, with or without a name before it. Raises GenotypeError."""
    try:
        body = ast.parse(text.strip().rstrip(",;")).body
    except SyntaxError as error:
        raise GenotypeError(f"the text breaks off or is mistyped at character {error.offset} ({error.msg}); paste all of it") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise GenotypeError(f"the text is no cell ({error}); {EXPECTED}") from error
    value = getattr(body[0], "value", None) if len(body) == 1 else None
    if not isinstance(value, ast.expr):
        raise GenotypeError(f"expected one cell and nothing else; got {short_repr(text)}")
    return value


def _value(node: ast.expr, name: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise GenotypeError(f"{name}: expected plain values such as [('sep_conv_3x3', 0), ...] or range(2, 6) ({error})") from error


READERS: dict[str, Callable[[str], Genotype]] = {
    r"\|": Nb201Genotype.parse,
    r"(?i)(normal|reduce)\s*:": DartsGenotype.parse,
    r"(?i)(\w+\s*=\s*)?(\w+\.)*genotype\s*\(": from_python,
    r"\{": from_mapping,
}


USUAL_DECAY = 3e-4  # of the weights, in every search but R-DARTS (L2)
PUBLISHED = PROJECT / "params" / "genotypes"
ALLOWED = (
    "allowed is a published name, the folder of a search's run, a JSON file, or the cell itself: Genotype(normal=[...], ...), "
    "'normal: ...; reduce: ...' or '|...|+|...|+|...|'."
)


class UnknownCell(UserError, ValueError):
    """No cell fits a description; the message says where it was looked for, and the nearest name."""


@dataclass(frozen=True)
class Cell:
    """A genotype and its origin."""

    name: str  # becomes part of a folder
    genotype: Genotype
    source: str
    published: bool = False
    paper_rows: dict[str, str] = field(default_factory=dict)  # table of the paper -> its row
    space: str = ""  # of the search that found it
    method: str = ""  # of that search, as Table 6 calls it


def published() -> dict[str, Cell]:
    """The cells in params/genotypes by name, in lower case."""
    return {path.stem: _published(path) for path in sorted(PUBLISHED.glob("*.json"))}


def _published(path: Path) -> Cell:
    content = integrity.read(path)
    try:
        return Cell(path.stem, _genotype(content["genotype"], path), content["source"], True, content.get("paper_rows", {}))
    except KeyError as error:
        raise RecordError(f"{path} lacks {error}: a published cell has a genotype and its source. Restore the file.") from error


def find(description: str) -> Cell:
    """The cell of a description: a name, a path or text. Raises UnknownCell, GenotypeError, RecordError."""
    if read := reader(description):
        genotype = read(description)
        text = str(genotype)
        of_nb201 = isinstance(genotype, Nb201Genotype)
        name = f"nb201-{_plain(text)}" if of_nb201 else f"darts-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return Cell(name, genotype, "given as text")
    if (name := description.strip().lower()) in (names := [path.stem for path in sorted(PUBLISHED.glob("*.json"))]):
        return _published(PUBLISHED / f"{name}.json")
    path = resolve(description)
    if os.path.isfile(path):
        content = integrity.read(path)
        return Cell(_plain(path.stem), _genotype(content.get("genotype", content), path), f"the file {path.name}")
    if os.path.isdir(path):
        return _of_run(path)
    if "/" in description or description.endswith(".json"):
        raise UnknownCell(f"there is neither a file nor a folder {path}; {ALLOWED}")
    raise UnknownCell(f"no published cell has this name.{nearest(name, names)} Published are {', '.join(names)}; {ALLOWED}")


def _genotype(content: Any, path: Path) -> Genotype:
    try:
        return genotype_from_json(content)
    except GenotypeError as error:
        raise GenotypeError(f"{path}: {error}") from error


def _of_run(path: Path) -> Cell:
    """The cell of a search, from the folder of a seed or, if there is only one, from the folder above it."""
    seeds = [path] if (path / "genotype.json").exists() else sorted(found.parent for found in path.glob("seed*/genotype.json"))
    if len(seeds) != 1:
        found = f"{len(seeds)} runs ({', '.join(seed.name for seed in seeds)})" if seeds else "no run with a genotype.json"
        raise UnknownCell(f"{path} holds {found}. Name the folder of one finished search, such as .../seed0.")
    (seed,) = seeds
    record = integrity.record(RunFolder(seed)) if (seed / integrity.RECORD).exists() else {"parameters": {}}
    file = integrity.checked(seed / "genotype.json", record)
    genotype, searched = _genotype(integrity.read(file), file), record["parameters"]
    space, method = searched.get("space", ""), _method(searched) if "method" in searched else ""
    source = f"the search in {seed.parent.name}/{seed.name}"
    return Cell(f"{_plain(seed.parent.name)}-{seed.name}", genotype, source, space=space, method=method)


def _method(searched: dict) -> str:
    """The name in Table 6: DARTS with drop path, or with more weight decay than usual, is R-DARTS (Zela et al., 2020)."""
    if searched["method"] != "darts":
        return searched["method"].replace("drnas", "DrNAS")
    if searched.get("drop_path"):
        return "R-DARTS (DP)"
    return "R-DARTS (L2)" if searched.get("weight_decay", USUAL_DECAY) > USUAL_DECAY else "DARTS"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-")
