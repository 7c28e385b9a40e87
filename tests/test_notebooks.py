"""The sources of the notebooks: thin, without outputs, their parameters readable by papermill and checked before anything heavy."""

import ast
import json
import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from drnas_lib.config.parameters import ParameterError, Parameters
from drnas_lib.runs.files import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
EXPECTED = {"search", "speed", "nas_bench_201", "partial_channels", "retrain", "darts_space", "robust_spaces"}
LONGEST_CELL = 10  # lines, but for the parameters

RUN_CELLS = """
import json, sys
names, sources = {}, json.load(sys.stdin)
for number, source in enumerate(sources):
    try:
        exec(source, names)
    except ValueError as error:
        print(f"cell {number} {type(error).__name__}, torch {'torch' in sys.modules}: {error}")
"""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells_of(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def is_parameters(cell):
    return "parameters" in cell.metadata.get("tags", ())


def parsed(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))  # magics become calls


def parameters_of(path):
    (cell,) = filter(is_parameters, cells_of(path))
    return parsed(cell).body


def test_the_notebooks_are_there():
    assert {path.stem for path in NOTEBOOKS} >= EXPECTED


@each_notebook
def test_it_is_a_valid_notebook_without_outputs(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3", "the name that every environment's own kernel has"
    assert "papermill" not in notebook.metadata, "this is an executed copy"
    assert [cell for cell in cells_of(path) if cell.outputs or cell.execution_count is not None] == []


@each_notebook
def test_its_cells_are_thin(path):
    for cell in cells_of(path):
        defined = [node for node in ast.walk(parsed(cell)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        assert not defined, f"belongs into drnas_lib: {cell.source}"
        assert is_parameters(cell) or cell.source.count("\n") < LONGEST_CELL, cell.source


@each_notebook
def test_papermill_reads_type_and_help_of_every_parameter(path):
    read = papermill.inspect_notebook(path)
    for statement in parameters_of(path):
        assert isinstance(statement, ast.AnnAssign), f"{ast.unparse(statement)}: write `name: type = value  # help`"
        name = statement.target.id
        assert name in read, f"papermill cannot parse the line of {name}; an equals sign or a quote in its help is enough for that"
        assert read[name]["inferred_type_name"] == ast.unparse(statement.annotation)
        assert len(read[name]["help"].split()) > 1, f"{name} needs a `# help` that says more than its name"
        assert ast.literal_eval(read[name]["default"]) == ast.literal_eval(statement.value)


@each_notebook
def test_the_help_of_a_choice_names_all_that_is_allowed(path):
    names = {}
    exec(cells_of(path)[0].source, names)
    (config,) = [value for value in names.values() if isinstance(value, type) and issubclass(value, Parameters)]
    told = {name: parameter["help"] for name, parameter in papermill.inspect_notebook(path).items()}
    try:
        config.of(dict.fromkeys(config.model_fields, ["?"]))
    except ParameterError as error:
        refused = str(error)
    for name in config.model_fields:
        choices = re.search(rf" {name}=\['\?'\]: allowed are ((?:[\w:-]+, )*[\w:-]+)\.", refused)
        missing = [word for word in choices[1].split(", ") if not re.search(rf"\b{word}\b", told[name])] if choices else []
        assert not missing, f"the help of {name} names all values but these"


@each_notebook
def test_a_misspelt_parameter_stops_it_before_anything_heavy_is_imported(path):
    cells = cells_of(path)
    (position,) = [i for i, cell in enumerate(cells) if is_parameters(cell)]
    typo = parameters_of(path)[0].target.id + "s"  # a name that is not, but nearly is
    sources = [*(cell.source for cell in cells[: position + 1]), f"{typo} = 1", cells[position + 1].source]
    answer = subprocess.run(
        [sys.executable, "-c", RUN_CELLS], input=json.dumps(sources), cwd=PROJECT / "notebooks", capture_output=True, text=True
    )
    assert answer.stdout.startswith(f"cell {len(sources) - 1} ParameterError, torch False: "), answer.stdout + answer.stderr
    assert f"{typo}=1" in answer.stdout
