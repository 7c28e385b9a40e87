"""Parameters told apart from what else a user has in a notebook, in a real IPython."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from drnas_lib.collection.studies.config import TheoryConfig

PARAMETERS = "draws: int = 200  # of theta\nseed: int = 0  # of the draws"
CONFIGURATION = "config = TheoryConfig.from_notebook(globals())"


@pytest.fixture
def notebook():
    """`notebook(cell, ...)` runs cells one after another and gives the configuration, or what was printed in place of it."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))  # leaves no file in the user's home
    shell.push({"TheoryConfig": TheoryConfig})

    def run(*cells):
        for cell in cells:
            with capture_output() as printed:
                done = shell.run_cell(cell, store_history=True)
        return shell.user_ns["config"] if done.success else printed.stdout

    return run


def test_a_scratch_variable_is_no_parameter(notebook):
    assert notebook("before = 1", PARAMETERS, CONFIGURATION, "notes = 'good'\nlr = 0.1", CONFIGURATION) == TheoryConfig()
    assert notebook(PARAMETERS.replace("200", "7"), CONFIGURATION).draws == 7


@pytest.mark.parametrize(
    "cells",
    [
        [PARAMETERS.replace("draws", "draw")],
        [PARAMETERS, "# Parameters\ndraw = 7"],  # as papermill puts it
        [PARAMETERS, CONFIGURATION, PARAMETERS.replace("draws", "draw")],
        ["draw = 7"],  # no cell looks like parameters
    ],
)
def test_a_typing_error_is_found_wherever_parameters_are_stated(notebook, cells):
    assert "draw=" in notebook(*cells, CONFIGURATION)


def test_a_mended_typing_error_is_forgotten(notebook):
    assert "draw=" in notebook(PARAMETERS.replace("draws", "draw"), CONFIGURATION)
    assert notebook(PARAMETERS, CONFIGURATION) == TheoryConfig()


def test_cells_with_magics_are_passed_over(notebook):
    assert notebook(PARAMETERS, "%config InlineBackend\nscratch: int = 3", CONFIGURATION) == TheoryConfig()


def test_the_message_alone_is_shown(notebook):
    lines = notebook("seed: str = 'one'", CONFIGURATION).splitlines()
    assert lines == [
        "ParameterError: the parameters do not fit:",
        "  seed='one': allowed is a whole number from 0 to 4294967295.",
    ]
