"""Where a cell comes from: the name of a published one, the folder of a search, a JSON file, or the cell itself as text. No torch.

Text is read and never executed. `READERS` has the forms:

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
from drnas_lib.errors import UserError, shown
from drnas_lib.genotype import DartsGenotype, Genotype, GenotypeError, Nb201Genotype, genotype_from_json
from drnas_lib.runs import integrity
from drnas_lib.runs.records import PROJECT, RecordError, RunFolder, resolve

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


USUAL_DECAY = 3e-4  # of the weights, in every search but R-DARTS (L2)
PUBLISHED = PROJECT / "params" / "genotypes"
ALLOWED = (
    "allowed is a published name, the folder of a search's run, a JSON file, or the cell itself: Genotype(normal=[...], ...), "
    "'normal: ...; reduce: ...' or '|...|+|...|+|...|'."
)


class UnknownCell(UserError, ValueError):
    """No cell goes by this description; the message says what was looked for and what is near."""


@dataclass(frozen=True)
class Cell:
    """A genotype and what is known of it. `name` becomes part of a folder; `paper_rows`: table of the paper -> its row."""

    name: str
    genotype: Genotype
    source: str
    published: bool = False
    paper_rows: dict[str, str] = field(default_factory=dict)
    note: str = ""
    space: str = ""  # of the search that found it
    method: str = ""  # of that search, as Table 6 calls it


def published() -> dict[str, Cell]:
    """The cells in params/genotypes by name, in lower case."""
    return {path.stem: _published(path) for path in sorted(PUBLISHED.glob("*.json"))}


def _published(path: Path) -> Cell:
    content = integrity.read(path)
    rows, note = content.get("paper_rows", {}), content.get("note", "")
    try:
        return Cell(path.stem, _genotype(content["genotype"], path), content["source"], True, rows, note)
    except KeyError as error:
        raise RecordError(f"{path} lacks {error}: a published cell has a genotype and its source. Restore the file.") from error


def find(description: str) -> Cell:
    """The cell that a parameter means. Raises UnknownCell, GenotypeError, RecordError."""
    if read := reader(description):
        genotype = read(description)
        return Cell(_name(genotype), genotype, "given as text")
    files = {path.stem: path for path in sorted(PUBLISHED.glob("*.json"))}
    if (name := description.strip().lower()) in files:
        return _published(files[name])
    path = resolve(description)
    if os.path.isfile(path):
        return _of_file(path)
    if os.path.isdir(path):
        return _of_run(path)
    if "/" in description or description.endswith(".json"):
        raise UnknownCell(f"there is neither a file nor a folder {path}; {ALLOWED}")
    raise UnknownCell(f"no published cell has this name.{nearest(name, files)} Published are {', '.join(files)}; {ALLOWED}")


def _name(genotype: Genotype) -> str:
    """Of a cell that has none."""
    text = str(genotype)
    return f"nb201-{_plain(text)}" if isinstance(genotype, Nb201Genotype) else f"darts-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _of_file(path: Path) -> Cell:
    content = integrity.read(path)
    return Cell(_plain(path.stem), _genotype(content.get("genotype", content), path), f"the file {path.name}")


def _genotype(content, path: Path) -> Genotype:
    try:
        return genotype_from_json(content)
    except GenotypeError as error:
        raise GenotypeError(f"{path}: {error}") from error


def _of_run(path: Path) -> Cell:
    """The folder of a seed, or the one above it where there is just one seed."""
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
    """DARTS with drop path, or with more weight decay than usual, is R-DARTS (Zela et al. 2020)."""
    if searched["method"] != "darts":
        return {"drnas": "DrNAS"}.get(searched["method"], searched["method"])
    robust = "R-DARTS (DP)" if searched.get("drop_path") else "R-DARTS (L2)"
    return robust if searched.get("drop_path") or searched.get("weight_decay", USUAL_DECAY) > USUAL_DECAY else "DARTS"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-")
