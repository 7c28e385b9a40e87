"""Tests of drnas_lib.config.cells: every way to name a cell, and what is said of a name that is none."""

import json
import shutil

import pytest

from drnas_lib.config.cells import UnknownCell, find, published
from drnas_lib.genotype import GenotypeError, genotype_from_json
from drnas_lib.runs.files import PROJECT

FOUND = PROJECT / "results" / "search" / "nb201_cifar10_drnas_released_laptop"


def test_every_published_file_is_a_cell_with_a_source():
    cells = published()
    assert len(cells) == len(list((PROJECT / "params" / "genotypes").glob("*.json"))) > 20
    assert all(cell.source and cell.published for cell in cells.values())


@pytest.mark.parametrize("name", ["DrNAS_cifar10", "drnas_cifar10", "DRNAS_CIFAR10", "params/genotypes/drnas_cifar10.json"])
def test_a_name_in_any_case_or_its_file(name):
    cell = find(name)
    assert cell.genotype == published()["drnas_cifar10"].genotype and cell.name == "drnas_cifar10"


def test_a_searchs_run_by_its_seed_or_by_the_folder_above(tmp_path):
    alone = tmp_path / FOUND.name
    shutil.copytree(FOUND / "seed0", alone / "seed0")
    cell = find(f"results/search/{FOUND.name}/seed0")
    assert cell == find(str(alone))
    assert cell.genotype == genotype_from_json(json.loads((FOUND / "seed0" / "genotype.json").read_text()))
    assert (cell.space, cell.method) == ("nb201", "DrNAS") and not cell.published and cell.name.endswith("-seed0")
    with pytest.raises(UnknownCell, match=r"4 runs \(seed0, seed1, seed2, seed3\)"):
        find(str(FOUND))


def test_a_file_with_the_bare_genotype(tmp_path):
    cell = published()["darts_v2"]
    path = tmp_path / "my cell.json"
    path.write_text(json.dumps(cell.genotype.to_json()))
    assert (find(str(path)).genotype, find(str(path)).name) == (cell.genotype, "my-cell")


def test_a_nb201_text():
    text = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|avg_pool_3x3~2|"
    assert str(find(text).genotype) == text and "|" not in find(text).name


@pytest.mark.parametrize(("word", "meant"), [("DrNAS_cifr10", "drnas_cifar10"), ("PCDARTS", "pc_darts_cifar"), ("Darts-v2", "darts_v2")])
def test_a_typing_error_names_the_nearest_and_what_is_allowed(word, meant):
    with pytest.raises(UnknownCell) as error:
        find(word)
    assert f"Did you mean `{meant}`?" in str(error.value)
    assert "the folder of a search's run, a JSON file, or the cell itself: Genotype(" in str(error.value)


def test_what_is_missing_or_ambiguous(tmp_path):
    with pytest.raises(UnknownCell, match="neither a file nor a folder"):
        find("results/nowhere/seed0")
    with pytest.raises(UnknownCell, match="no run with a genotype.json"):
        find(str(tmp_path))
    for seed in ("seed0", "seed1"):
        (tmp_path / seed).mkdir()
        (tmp_path / seed / "genotype.json").write_text("{}")
    with pytest.raises(UnknownCell, match=r"2 runs \(seed0, seed1\)"):
        find(str(tmp_path))
    with pytest.raises(GenotypeError):
        find(str(tmp_path / "seed0"))


@pytest.mark.parametrize(
    ("searched", "method"),
    [
        ({"method": "darts", "weight_decay": 3e-4, "drop_path": 0.0}, "DARTS"),
        ({"method": "darts", "weight_decay": 3e-4}, "DARTS"),
        ({"method": "darts", "weight_decay": 3e-4, "drop_path": 0.2}, "R-DARTS (DP)"),
        ({"method": "darts", "weight_decay": 81e-4, "drop_path": 0.0}, "R-DARTS (L2)"),
        ({"method": "gdas", "weight_decay": 3e-4}, "gdas"),
    ],
)
def test_a_search_is_named_as_table_6_names_it(tmp_path, searched, method):
    (tmp_path / "genotype.json").write_text(json.dumps(published()["darts_v2"].genotype.to_json()))
    (tmp_path / "record.json").write_text(json.dumps({"parameters": searched | {"space": "s2"}}))
    assert (find(str(tmp_path)).space, find(str(tmp_path)).method) == ("s2", method)
