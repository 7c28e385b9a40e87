"""drnas_lib.collection.paper.commands: papermill takes every command that --missing prints, and the notebook its parameters."""

import json
import shlex

import pytest
import yaml

from drnas_lib.collection.paper import commands
from drnas_lib.collection.paper import numbers as paper
from drnas_lib.collection.paper.answers import sources
from drnas_lib.collection.paper.commands import CONFIGS, Command
from drnas_lib.config.parameters import ParameterError
from drnas_lib.runs.files import PROJECT
from drnas_lib.runs.index import RunIndex

NOTHING = RunIndex.read("/nowhere")
COMMANDS = list(dict.fromkeys(command for number in paper.numbers() for source in sources(number) for command in source.commands(NOTHING)))
OF_A_FOUND_CELL = [command for command in COMMANDS if command.notebook == "retrain" and command.file is None]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.out)
def test_a_command_names_what_is_there(command):
    words = shlex.split(command.line)
    assert words[0] == "papermill" and (PROJECT / words[1]).is_file() and words[2].startswith("results/notebooks/")
    assert all((PROJECT / file).is_file() for option, file in zip(words, words[1:]) if option == "-f")
    said = {words[i + 1]: yaml.safe_load(words[i + 2]) for i, word in enumerate(words) if word == "-p"}  # as papermill reads them
    given = (yaml.safe_load((PROJECT / words[4]).read_text()) or {} if words[3] == "-f" else {}) | said
    try:
        CONFIGS[command.notebook].of(given)
    except ParameterError as error:
        assert command in OF_A_FOUND_CELL, error
        assert "there is neither a file nor a folder" in str(error), error  # of the search before it, and nothing else
        assert "the parameters do not fit:" in str(error) and str(error).count("\n") == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in OF_A_FOUND_CELL], ids=lambda command: command.out)
def test_a_command_runs_at_full_length(command):
    assert not any(settings.reduced for settings in command.searches())
    if command.notebook == "retrain":
        settings = command.config().settings()
        assert not settings.reduced and not settings.changed


def test_no_two_lines_write_the_same_notebook():
    assert len({command.out for command in COMMANDS}) == len(COMMANDS) > 80


def test_every_search_of_the_paper_has_a_line_and_studied_ones_keep_their_snapshots():
    made = commands.search_commands()
    assert made["nb201_cifar10_drnas_released"].notebook == made["nb201_cifar10_darts_released"].notebook == "hessian"
    assert made["nb201_cifar10_drnas_released_lam0.1"].notebook == "lambda_ablation"
    assert made["nb201_cifar100_gdas_paper"].parameters()["methods"] == "gdas"
    progressive = {settings.stem for settings in made["nb201_cifar10_drnas_paper"].searches()}
    assert progressive == {"nb201_cifar10_drnas_released_k8", "nb201_cifar10_drnas_paper"}
    assert made["s3_cifar10_drnas_released"].file == "s3_cifar10_drnas_released"
    assert not any(settings.reduced for command in made.values() for settings in command.searches())


def test_the_folder_of_a_found_cell_is_where_its_search_will_be():
    for command in OF_A_FOUND_CELL:
        folder = command.parameters()["genotype"]
        assert folder.removeprefix("results/search/").removesuffix("/seed0") in commands.search_commands()


def test_every_published_cell_of_a_table_has_a_params_file():
    for path in (PROJECT / "params" / "genotypes").glob("*.json"):
        for table, dataset in (("table2", "cifar10"), ("table3", "imagenet")):
            if table in json.loads(path.read_text()).get("paper_rows", {}):
                settings = commands.training(path.stem, dataset).config().settings()
                assert (settings.cell, settings.dataset) == (path.stem, dataset)


def test_a_missing_params_file_is_named():
    with pytest.raises(ParameterError, match="params/search/none.yaml"):
        Command("search", "x", "none").parameters()
