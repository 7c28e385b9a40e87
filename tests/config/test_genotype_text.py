"""drnas_lib.config.cells: every form in which a cell is pasted, and what is said of one that is broken. Nothing is executed."""

import json

import pytest

from drnas_lib.config.cells import find, published, reader
from drnas_lib.config.parameters import ParameterError
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.genotype import DartsGenotype, GenotypeError

CELL = published()["drnas_cifar10"].genotype
NASNET = published()["nasnet_a"].genotype  # not all of its nodes are concatenated
PAIRS = "[('sep_conv_3x3', 0), ('skip_connect', 1)]"
SMALL = DartsGenotype((("sep_conv_3x3", 0), ("skip_connect", 1)), (2,), (("sep_conv_3x3", 0), ("skip_connect", 1)), (2,))


def literal(cell, concat=repr):
    """As the authors' namedtuple prints it."""
    return (
        f"Genotype(normal={list(cell.normal)!r}, normal_concat={concat(cell.normal_concat)}, "
        f"reduce={list(cell.reduce)!r}, reduce_concat={concat(cell.reduce_concat)})"
    )


AS_RANGE = lambda nodes: f"range({nodes[0]}, {nodes[-1] + 1})"
FORMS = {
    "range": (literal(CELL, AS_RANGE), CELL),
    "lists": (literal(CELL, lambda nodes: repr(list(nodes))), CELL),
    "list of a range": (literal(CELL, lambda nodes: f"list({AS_RANGE(nodes)})"), CELL),
    "a name before it": (f"  DrNAS = genotypes.{literal(CELL, AS_RANGE)},", CELL),
    "in lines": (literal(CELL, AS_RANGE).replace("), (", "),\n    ("), CELL),
    "without names": (f"Genotype({PAIRS}, range(2, 3), {PAIRS}, [2])", SMALL),
    "some nodes": (literal(NASNET), NASNET),
    "as a search prints it": (str(CELL), CELL),
    "as a search prints it, some nodes": (str(NASNET), NASNET),
    "reduce first": ("; ".join(reversed(str(CELL).split("; "))) + " ;", CELL),
    "genotype.json": (json.dumps(CELL.to_json()), CELL),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pasted_cell_is_read(form):
    text, cell = FORMS[form]
    assert find(text).genotype == cell
    found = RetrainConfig.of({"genotype": text, "dataset": "digits"}).settings()
    assert found.cell_json == cell.to_json() and found.cell.startswith("darts-") and found.cell_source == "given as text"
    assert (found.fingerprint, found.stem) == (lambda s: (s.fingerprint, s.stem))(
        RetrainConfig.of({"genotype": str(cell), "dataset": "digits"}).settings()
    ), "however it is written, it is the same run"


def test_every_published_cell_is_read_back_from_either_text():
    for cell in published().values():
        assert find(literal(cell.genotype)).genotype == find(str(cell.genotype)).genotype == cell.genotype


BROKEN = [
    (literal(CELL)[:-40], "breaks off or is mistyped at character"),
    (f"Genotype(normal={PAIRS})", "expected Genotype(normal=..., normal_concat=..., reduce=..., reduce_concat=...) and nothing else; got"),
    (f"{literal(SMALL)}; import os", "and nothing else"),
    (literal(SMALL).replace("(2,)", "range(2, 10**12)", 1), "normal_concat: expected plain values"),
    (literal(SMALL).replace("(2,)", "range(2, 1000000000)", 1), "normal_concat: expected plain values"),
    (literal(SMALL).replace("('sep_conv_3x3', 0)", "__import__('os').mkdir('executed')", 1), "normal: expected plain values"),
    (literal(SMALL).replace("sep_conv_3x3", "sep_conv_3x4", 1), "unknown operation 'sep_conv_3x4'; allowed: none, max_pool_3x3"),
    (literal(SMALL).replace("'skip_connect', 1", "'skip_connect', 5", 1), "input 5 is not an earlier node; allowed: 0 to 1"),
    ("Genotype(" + "(" * 5000, "breaks off or is mistyped"),
    ("normal: sep_conv_3x3~0 skip_connect~1", "the reduce cell is missing"),
    ("normal: sep_conv_3x3~0; reduce: none~0 none~1", "normal cell, node 2: expected two inputs such as 'sep_conv_3x3~0 skip_connect~1'"),
    ("normal: sep_conv_3x3~0 none; reduce: none~0 none~1", "got 'sep_conv_3x3~0 none'"),
    ("normal: none~0 none~1 [4 x]; reduce: none~0 none~1", "expected the concatenated nodes such as [4 5 6] at its end, got '[4 x]'"),
    ("normal: none~0 none~1; normal: none~0 none~1", "expected 'normal: op~0 op~1 | op~0 op~2 | ...; reduce: op~0 op~1 | ...'"),
    ("|none~0|+|none~0|none~1|", "expected 3 nodes joined by '+', as in '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'; got 2"),
    ('{"space": "darts"}', "'normal' is missing; the keys found are 'space'"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=[said[:40] for _, said in BROKEN])
def test_a_broken_one_says_what_is_wrong(text, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenotypeError) as error:
        find(text)
    assert said in str(error.value) and len(str(error.value)) < 1500
    with pytest.raises(ParameterError, match="genotype="):
        RetrainConfig.of({"genotype": text, "dataset": "digits"})
    assert not list(tmp_path.iterdir()), "nothing is executed"


def test_a_name_or_a_path_is_no_text():
    for word in ("DrNAS_cifar10", "results/search/normal", "genotype.json", "normal.json", ""):
        assert reader(word) is None
