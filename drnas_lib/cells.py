"""Where a cell comes from: the name of a published one, the folder of a search, a JSON file, or a NAS-Bench-201 text. No torch."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from drnas_lib.errors import Told
from drnas_lib.genotype import Genotype, Nb201Genotype, genotype_from_json
from drnas_lib.parameters import nearest
from drnas_lib.records import PROJECT, RecordError, read_json, resolve

USUAL_DECAY = 3e-4  # of the weights, in every search but R-DARTS (L2)
PUBLISHED = PROJECT / "params" / "genotypes"


class UnknownCell(Told, ValueError):
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
    content = read_json(path)
    rows, note = content.get("paper_rows", {}), content.get("note", "")
    return Cell(path.stem, genotype_from_json(content["genotype"]), content["source"], True, rows, note)


def find(description: str) -> Cell:
    """The cell that a parameter means. Raises UnknownCell, GenotypeError, RecordError."""
    if description.startswith("|"):
        return Cell("nb201-" + _plain(description), Nb201Genotype.parse(description), "given as text")
    name = description.strip().lower()
    if (PUBLISHED / f"{name}.json").exists():
        return _published(PUBLISHED / f"{name}.json")
    path = resolve(description)
    if path.is_file():
        return _of_file(path)
    if path.is_dir():
        return _of_run(path)
    if "/" in description or description.endswith(".json"):
        raise UnknownCell(f"there is neither a file nor a folder {path}.")
    known = published()
    raise UnknownCell(f"no published cell has this name.{nearest(name, known)} Known: {', '.join(known)}; or the path of a search's run.")


def _of_file(path: Path) -> Cell:
    content = read_json(path)
    inner = content.get("genotype", content) if isinstance(content, dict) else content
    return Cell(_plain(path.stem), genotype_from_json(inner), f"the file {path.name}")


def _of_run(path: Path) -> Cell:
    """The folder of a seed, or the one above it where there is just one seed."""
    seeds = [path] if (path / "genotype.json").exists() else sorted(found.parent for found in path.glob("seed*/genotype.json"))
    if len(seeds) != 1:
        found = f"{len(seeds)} runs ({', '.join(seed.name for seed in seeds)})" if seeds else "no run with a genotype.json"
        raise UnknownCell(f"{path} holds {found}. Name the folder of one finished search, such as .../seed0.")
    (seed,) = seeds
    genotype = genotype_from_json(read_json(seed / "genotype.json"))
    try:
        searched = read_json(seed / "record.json")["parameters"]
        space, method = searched["space"], _method(searched)
    except (RecordError, KeyError, TypeError):
        space = method = ""
    source = f"the search in {seed.parent.name}/{seed.name}"
    return Cell(f"{_plain(seed.parent.name)}-{seed.name}", genotype, source, space=space, method=method)


def _method(searched: dict) -> str:
    """DARTS with drop path, or with more weight decay than usual, is R-DARTS (Zela et al. 2020)."""
    if searched["method"] != "darts":
        return {"drnas": "DrNAS"}.get(searched["method"], searched["method"])
    robust = "R-DARTS (DP)" if searched.get("drop_path") else "R-DARTS (L2)"
    return robust if searched.get("drop_path") or searched["weight_decay"] > USUAL_DECAY else "DARTS"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-")
