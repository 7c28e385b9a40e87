"""Tests of drnas_lib.genotype."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from drnas_lib.genotype import (
    NB201_EDGES,
    NB201_OPERATIONS,
    DartsGenotype,
    GenotypeError,
    Nb201Genotype,
    all_nb201,
    genotype_from_json,
)

PROJECT = Path(__file__).parents[1]
DRNAS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
ALL_DIFFERENT = "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
SEP = "sep_conv_3x3"


def darts(normal=None, normal_concat=(2, 3), reduce=None, reduce_concat=(2, 3)) -> DartsGenotype:
    cell = ((SEP, 0), (SEP, 1), ("skip_connect", 0), ("max_pool_3x3", 2))
    return DartsGenotype(normal or cell, normal_concat, reduce or cell, reduce_concat)


def test_all_cells_once_and_each_prints_as_it_parses():
    cells = list(all_nb201())
    assert len(cells) == len(set(cells)) == 5**6
    texts = [str(cell) for cell in cells]
    assert len(set(texts)) == 5**6
    assert all(Nb201Genotype.parse(text) == cell for cell, text in zip(cells, texts, strict=True))
    assert all(genotype_from_json(json.loads(json.dumps(cell.to_json()))) == cell for cell in cells[::125])


def test_edges_of_the_printed_text():
    """Read by hand from the text: node 3 reads node 1 through the average pooling, and so on."""
    assert Nb201Genotype.parse(ALL_DIFFERENT).edges() == (
        (0, 1, "none"),
        (0, 2, "skip_connect"),
        (1, 2, "nor_conv_1x1"),
        (0, 3, "nor_conv_3x3"),
        (1, 3, "avg_pool_3x3"),
        (2, 3, "none"),
    )
    assert str(Nb201Genotype.parse(ALL_DIFFERENT)) == ALL_DIFFERENT


def test_edges_stand_in_the_order_of_the_text():
    assert tuple((source, target) for target in (1, 2, 3) for source in range(target)) == NB201_EDGES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            DRNAS.replace("nor_conv_3x3~2", "nor_con_3x3~2"),
            "edge 2->3: unknown operation 'nor_con_3x3'.*did you mean 'nor_conv_3x3'",
        ),
        (DRNAS.replace("skip_connect", "zzz"), f"edge 0->3.*'zzz'; allowed: {', '.join(NB201_OPERATIONS)}$"),
        (
            DRNAS.replace("nor_conv_3x3~2", "nor_conv_3x3~3"),
            r"node 3: expected '\|op~0\|op~1\|op~2\|', got '\|skip_connect~0\|nor_conv_3x3~1\|nor_conv_3x3~3\|'",
        ),
        (DRNAS.replace("~1", "", 1), r"node 2: expected '\|op~0\|op~1\|', got '\|nor_conv_3x3~0\|nor_conv_3x3\|'"),
        (DRNAS.replace("nor_conv_3x3~2|", ""), "node 3: expected"),
        (DRNAS.removesuffix("|"), "node 3: expected"),
        (DRNAS.replace("+", ""), "expected 3 nodes joined by '\\+', as in .*; got 1"),
        (DRNAS + "+|none~0|", "expected 3 nodes joined by '\\+', as in .*; got 4"),
        ("", "expected 3 nodes"),
        (DRNAS.replace("~0", "~00", 1), r"node 1: expected '\|op~0\|', got '\|nor_conv_3x3~00\|'"),
        (" " + DRNAS, "node 1: expected"),
        (DRNAS.replace("nor_conv_3x3~0", "~0", 1), "edge 0->1: unknown operation ''"),
    ],
)
def test_text_that_is_no_cell_is_refused_with_the_place(text, message):
    with pytest.raises(GenotypeError, match=message):
        Nb201Genotype.parse(text)


def test_wrong_number_of_operations_is_refused():
    with pytest.raises(GenotypeError, match="has 6 operations.*got 5"):
        Nb201Genotype(("none",) * 5)


def test_lists_and_tuples_make_the_same_cell():
    of_list, of_tuple = Nb201Genotype(["none"] * 6), Nb201Genotype(("none",) * 6)
    assert of_list == of_tuple and hash(of_list) == hash(of_tuple)
    assert darts(normal=[[SEP, 0], [SEP, 1]], normal_concat=[2]) == darts(normal=((SEP, 0), (SEP, 1)), normal_concat=(2,))


def test_cells_cannot_be_changed():
    with pytest.raises(AttributeError):
        Nb201Genotype.parse(DRNAS).operations = ("none",) * 6


def test_darts_cell_survives_json():
    genotype = darts()
    assert genotype_from_json(json.loads(json.dumps(genotype.to_json()))) == genotype


def test_darts_edges_name_their_nodes():
    assert darts().edges("normal") == ((0, 2, SEP), (1, 2, SEP), (0, 3, "skip_connect"), (2, 3, "max_pool_3x3"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normal": ((SEP, 0), (SEP, 2))}, "normal cell, node 2: input 2 is not an earlier node; allowed: 0 to 1"),
        ({"reduce": ((SEP, 0), (SEP, -1))}, "reduce cell, node 2: input -1 is not an earlier node"),
        (
            {"normal": ((SEP, 0), ("sep_conv3x3", 1))},
            "normal cell, node 2: unknown operation 'sep_conv3x3'.*mean 'sep_conv_3x3'",
        ),
        ({"normal": ((SEP, 0), (SEP, 1), (SEP, 0))}, "normal cell: every node has two inputs.*got 3"),
        ({"reduce": (SEP, 0)}, "reduce cell, entry 0: expected a pair"),
        ({"reduce": ((SEP, 0), (SEP, "1"))}, "reduce cell, entry 1: expected a pair"),
        ({"reduce": "cell"}, "reduce cell: expected a list"),
        ({"normal_concat": (2, 4)}, "normal_concat: expected distinct nodes out of 2, 3, got \\[2, 4\\]"),
        ({"reduce_concat": (1, 2)}, "reduce_concat: expected distinct nodes"),
        ({"reduce_concat": (2, 2)}, "reduce_concat: expected distinct nodes"),
        ({"reduce_concat": ()}, "reduce_concat: expected distinct nodes"),
        ({"reduce_concat": "23"}, "reduce_concat: expected a list of node numbers"),
    ],
)
def test_darts_cell_that_cannot_be_is_refused(change, message):
    with pytest.raises(GenotypeError, match=message):
        darts(**change)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "a genotype is a JSON object, got list"),
        ({}, "'space' is missing; the keys found are none"),
        ({"space": "nb101"}, "unknown space 'nb101'; allowed: nb201, darts"),
        ({"space": "nb201", "arch": DRNAS}, "'cell' is missing; the keys found are 'space', 'arch'"),
        ({"space": "nb201", "cell": 3}, "a cell must be a text"),
        ({"space": "darts", "normal": [], "normal_concat": [2]}, "'reduce' is missing"),
    ],
)
def test_json_that_is_no_genotype_is_refused(data, message):
    with pytest.raises(GenotypeError, match=message):
        genotype_from_json(data)


PUBLISHED = sorted((PROJECT / "params" / "genotypes").glob("*.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_cells_are_genotypes_with_a_source(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    assert genotype_from_json(data["genotype"]).to_json() == data["genotype"]
    assert data["source"]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_cells_name_rows_of_the_paper(path):
    for table, row in json.loads(path.read_text(encoding="utf-8")).get("paper_rows", {}).items():
        rows = json.loads((PROJECT / "params" / "paper" / f"{table}.json").read_text(encoding="utf-8"))["rows"]
        assert row in [of_table["architecture"] for of_table in rows]


def test_table_4_gives_the_gains_that_the_paper_states():
    """The text's gains over other methods follow from the table: both are transcribed right, or neither is."""
    paper = PROJECT / "params" / "paper"
    table = json.loads((paper / "table4.json").read_text(encoding="utf-8"))
    stated = json.loads((paper / "text.json").read_text(encoding="utf-8"))["nb201_mean_gain_pct_over"]
    sums = {row.pop("method"): sum(value["mean"] for value in row.values()) for row in table["rows"]}
    for method, gain in stated.items():
        (of_method,) = {total for name, total in sums.items() if name.startswith(method)}
        assert f"{100 * (sums['DrNAS'] / of_method - 1):.1f}" == str(gain)


def test_module_imports_neither_torch_nor_pandas():
    script = "import sys, drnas_lib.genotype; sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize("concat", [(2, 3), (3,), (3, 2)])
def test_the_text_of_a_darts_cell_is_read_back(concat):
    cell = darts(normal_concat=concat)
    assert DartsGenotype.parse(str(cell)) == cell
    assert ("[" in str(cell)) == (concat != (2, 3)), "nodes are named where not all are concatenated"
    assert str(darts()).endswith("; reduce: sep_conv_3x3~0 sep_conv_3x3~1 | skip_connect~0 max_pool_3x3~2")
