"""Random inputs: each is taken as it stands or refused with the one error that the reader of that input promises, never anything else.

A property returns "exact" or "told" for a case, and raises where the library answered in a way it does not promise.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from drnas_lib.benchmark.policies import POLICIES
from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.studies.comparison import ComparisonConfig, PartialChannelsConfig
from drnas_lib.collection.studies.config import (
    ConstrainedConfig,
    ExplorationConfig,
    HessianConfig,
    LambdaConfig,
    MainJobConfig,
    ReportConfig,
    TheoryConfig,
)
from drnas_lib.collection.views.search_report import SearchReport
from drnas_lib.config.cells import UnknownCell, find
from drnas_lib.config.method_presets import METHODS
from drnas_lib.config.parameters import ParameterError, Parameters
from drnas_lib.config.presets import DISAGREEMENTS, FAMILIES
from drnas_lib.config.recipes import RECIPES
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.config.space_rules import RULES
from drnas_lib.data.image_files import Files, chosen, listing_digest
from drnas_lib.distributed.__main__ import parameters
from drnas_lib.errors import DamagedData
from drnas_lib.genotype import DARTS_OPERATIONS, NB201_OPERATIONS, GenotypeError, Nb201Genotype, genotype_from_json
from drnas_lib.runs.files import RecordError

LONGEST_MESSAGE = 20_000  # characters: a reader must still find the beginning
CONFIGS: dict[str, type[Parameters]] = {
    "search": SearchConfig,
    "nas_bench_201": ComparisonConfig,
    "partial_channels": PartialChannelsConfig,
    "darts_space and robust_spaces": ReportConfig,
    "retrain": RetrainConfig,
    "exploration": ExplorationConfig,
    "hessian": HessianConfig,
    "lambda_ablation": LambdaConfig,
    "main_job": MainJobConfig,
    "theory": TheoryConfig,
    "constrained": ConstrainedConfig,
    "speed": SpeedConfig,
    "report": ReportConfig,
}
FOLLOWS = ("settings", "searches", "lookups")  # what a notebook works out of its parameters next
WORDS = [*RULES, *FAMILIES, *METHODS, *POLICIES, *DISAGREEMENTS, *RECIPES, "imagenet", "full", "laptop", "smoke", "auto", "cpu"]
WORDS += ["cuda:0", "table", "train", "none", "first", "second", "penalty", "kl", "mean", "softmax", "halves", "eta", "exact", "macs"]
WORDS += ["DrNAS_cifar10", "darts_v2", "params/genotypes/pnasnet.json"]
SIZES = [0, 1, 2, 3, 4, 5, 8, 16, 25, 32, 64, 100, 0.0, 0.025, 0.1, 0.9, 1e-3, "1e-3", "[25, 25]", "4,2", [1], [4, 2], [5, 3], [25, 25]]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**63, "9" * 5000, "a" * 5000, float("nan"), float("inf"), -0.0, 1e308, 5e-324]),
    st.builds(lambda: 10**5000),  # more digits than Python prints
    st.floats(),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=20),
    st.text("[](),.0123456789eE-+_ ~/\\'\"\x00\n", max_size=12),
    st.binary(max_size=5),
    st.just(object),
)
VALUE = st.sampled_from(WORDS) | st.sampled_from(SIZES) | ODD | st.lists(st.sampled_from(WORDS + SIZES) | ODD, max_size=4)
VALUE |= st.recursive(ODD, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3), max_leaves=8)


@dataclass(frozen=True)
class Property:
    """`cases` are drawn, `holds` says "exact" or "told" of one or raises; `weight` is its share of a campaign."""

    cases: st.SearchStrategy
    holds: Callable[[object], str]
    weight: int = 1


def told(error: Exception, *named: str) -> str:
    """The message can be printed and read, and names one of the things that are wrong."""
    message = str(error)
    message.encode()
    assert 10 < len(message) < LONGEST_MESSAGE, message[:200]
    assert not named or any(name in message for name in named), message
    return "told"


def names_and_values(config: type[Parameters]) -> st.SearchStrategy:
    """What the globals of a notebook may hold: mostly parameters with values that are sound by themselves, then anything."""
    known = sorted(config.model_fields)
    typo = st.sampled_from(known).flatmap(lambda name: st.sampled_from([name[1:], name + "s", name.upper(), name.replace("_", "")]))
    sound = {name: [value for value in [*WORDS, *SIZES, True, False] if is_sound(config, name, value)] for name in known}
    entry = st.sampled_from(known).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(sound[name] or [None])))
    any_entry = st.tuples(st.sampled_from(known) | typo, VALUE)
    return st.builds(lambda some, more: dict([*some, *more]), st.lists(entry, max_size=5), st.just([]) | st.lists(any_entry, max_size=2))


def is_sound(config: type[Parameters], name: str, value) -> bool:
    try:
        config(**{name: value})
    except ValueError:
        return False
    return True


def parameters_hold(config: type[Parameters]) -> Callable[[dict], str]:
    """They validate, and then everything that follows from them does, or a ParameterError names a parameter."""

    def holds(values: dict) -> str:
        try:
            checked = config.from_notebook(values)
            for name in FOLLOWS:
                getattr(checked, name, lambda: None)()
        except ParameterError as error:
            return told(error, *values, *config.model_fields)
        return "exact"

    return holds


def edited(text: st.SearchStrategy, alphabet: list[str]) -> st.SearchStrategy:
    """Valid text with a piece cut out, put in or put over, or none."""
    piece = st.sampled_from(alphabet) | st.text(max_size=3)
    places = st.tuples(st.integers(0, 90), st.integers(0, 6))
    return st.builds(lambda whole, at, new: whole[: at[0]] + new + whole[at[0] + at[1] :], text, places, piece) | text


NB201 = st.tuples(*[st.sampled_from(NB201_OPERATIONS)] * 6).map(lambda operations: str(Nb201Genotype(operations)))


def nb201_text_holds(text: str) -> str:
    try:
        cell = Nb201Genotype.parse(text)
    except GenotypeError as error:
        return told(error)
    assert str(cell) == text and genotype_from_json(json.loads(json.dumps(cell.to_json()))) == cell
    return "exact"


@st.composite
def darts_cells(draw) -> dict:
    """The JSON of a cell of two to five nodes a kind."""
    cell: dict = {"space": "darts"}
    for kind in ("normal", "reduce"):
        nodes = draw(st.integers(2, 5))
        entry = lambda target: st.tuples(st.sampled_from(DARTS_OPERATIONS), st.integers(0, target - 1)).map(list)  # noqa: B023
        cell[kind] = [draw(entry(2 + n)) for n in range(nodes) for _ in range(2)]
        cell[f"{kind}_concat"] = draw(st.lists(st.integers(2, 1 + nodes), min_size=1, unique=True))
    return cell


@st.composite
def broken(draw, valid: st.SearchStrategy):
    """Valid JSON of which one part, at any depth, may be another value or gone."""
    whole = draw(valid)
    place, parent, key = whole, None, None
    for _ in range(draw(st.integers(0, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not keys:
            break
        parent, key = place, draw(st.sampled_from(keys))
        place = place[key]
    if parent is None:
        return whole
    if draw(st.booleans()):
        parent[key] = draw(VALUE.filter(jsonable))
    else:
        del parent[key]
    return whole


def jsonable(value) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def pasted(cell: dict) -> st.SearchStrategy:
    """A cell as a search prints it and as the authors' codes do."""
    fields = ", ".join(f"{name}={value!r}" for name, value in cell.items() if name != "space")
    return st.sampled_from([str(genotype_from_json(cell)), f"PC = Genotype({fields})", json.dumps(cell)])


def genotype_json_holds(content) -> str:
    try:
        cell = genotype_from_json(content)
    except GenotypeError as error:
        return told(error)
    assert genotype_from_json(json.loads(json.dumps(cell.to_json()))) == cell
    return "exact"


def description_holds(text: str) -> str:
    """A parameter `genotype`: the cell it names, or the reason why there is none."""
    try:
        cell = find(text)
    except (UnknownCell, GenotypeError, RecordError) as error:
        return told(error)
    assert genotype_from_json(cell.genotype.to_json()) == cell.genotype
    return "exact"


def file_holds(folder: Path, name: str, read: Callable[[Path], object], *errors: type[Exception], names=()) -> Callable[[bytes], str]:
    """`read` of a file of this content gives something or raises one of `errors`, which names the file or something in it."""
    path = folder / name

    def holds(content: bytes | str) -> str:
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        try:
            read(path)
        except errors as error:
            return told(error, name, *names)
        return "exact"

    return holds


def yaml_of(path: Path) -> None:
    """A parameter file as the command line of several processes reads it, and then what it says."""
    RetrainConfig.of(parameters(["retrain", "-f", str(path)])[1])


DEEP = ["[" * 100_000, '{"a":' * 100_000, "- " * 20_000, "[" * 3000 + "]" * 3000, "9" * 5000, '{"space": NaN}', '{"a": 1e999}']
BOMB = "a: &a [x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))  # 9^8 entries
YAML = ["epochs: 3\n", "lr: 1e-2\n", "lr: .nan\n", "cells: 2001-99-99\n", "1: 2\n", "- a\n", "name: {a: b}\n", "? [a]\n: b\n", "\t", BOMB]
YAML += ["genotype: !!python/object/apply:os.mkdir [executed]\n", "lr: !!binary x\n", "seed: &x [*x]\n", "name: 'a\x00'\n", "a: *b\n"]
YAML += DEEP


def properties(folder: Path, run: Path, images: Files) -> dict[str, Property]:
    """By name. `folder` is for files, `run` is a finished search, `images` are image files that an index list can be made of."""
    raw = st.binary(max_size=60) | st.text(max_size=60) | st.sampled_from(DEEP)
    as_text = lambda strategy: strategy.filter(jsonable).map(json.dumps)
    lists = st.fixed_dictionaries({name: st.lists(st.integers(0, 3), min_size=1, unique=True) for name in images.classes})
    listed = lists.map(lambda places: {"listing_sha256": listing_digest(images), "images": places})
    of_run = "|".join(["epoch", "stage", "k", "lr", "genotype", "1", "nan", ",", "\n", '"'])
    cell = file_holds(folder, "cell.json", lambda path: find(str(path)), RecordError, GenotypeError)
    some = file_holds(folder, "some.yaml", yaml_of, ParameterError, names=RetrainConfig.model_fields)
    listing = file_holds(folder, "list.json", lambda path: chosen(images, path), RecordError, DamagedData)
    history = file_holds(run, "history.csv", lambda path: SearchReport.read(str(run)), RecordError)
    texts, of_darts = VALUE.filter(lambda value: isinstance(value, str)), darts_cells().flatmap(pasted)
    return {f"parameters of {name}": Property(names_and_values(c), parameters_hold(c), 3) for name, c in CONFIGS.items()} | {
        "NAS-Bench-201 text": Property(edited(NB201, [*NB201_OPERATIONS, "|", "+", "~", "~0", "0"]), nb201_text_holds, 3),
        "DARTS cell": Property(broken(darts_cells()), genotype_json_holds, 3),
        "genotype JSON": Property(VALUE, genotype_json_holds, 2),
        "description of a cell": Property(texts | edited(NB201, ["|"]) | edited(of_darts, list("|~;:[](){},'=0")), description_holds, 3),
        "genotype file": Property(raw | as_text(broken(darts_cells())), cell, 2),
        "parameter file": Property(raw | st.lists(st.sampled_from(YAML) | st.text(max_size=20), max_size=4).map("".join), some, 2),
        "index list": Property(raw | as_text(broken(listed)), listing, 2),
        "history file": Property(raw | st.text(of_run, max_size=80), history, 1),
    }


def cases(of: Property, count: int, seed: int) -> Counter:
    """Hold `count` cases against a property: the outcomes of counts.py. Raises AssertionError where one of them raises."""
    tally: Counter = Counter()

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), print_blob=False
    )
    @hypothesis.given(of.cases)
    def check(case):
        tally[of.holds(case)] += 1

    try:
        check()
    except Exception as error:
        said = [f"{type(one).__name__}: {one}" for one in getattr(error, "exceptions", (error,))]
        raise AssertionError("; ".join([*said, *getattr(error, "__notes__", ())])) from error
    return tally
