"""The library's order (design, section 3): a module imports only from rows above its own, and never in a circle."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

from drnas_lib.records import PROJECT

ROWS = (  # a name without a file of its own stands for the package of that name
    (
        *("errors", "stated", "genotype", "records", "seal", "config", "search_settings", "presets", "darts_presets"),
        *("method_presets", "space_rules", "parameters", "speed_config", "study_config", "recipes", "cells", "retrain_config"),
        *("tables_config", "paper", "stream_rules", "genotype_text", "holes", "identity", "scales"),
    ),
    (
        *("benchmark", "benchmark_check", "benchmark_convert", "tables", "plots", "cell_plots", "search_report", "table_search"),
        *("pareto", "trained_cells", "study_plots", "verdict", "finished"),
    ),
    (
        *("comparison", "main_job", "comparison_plots", "comparison_report", "training_plots", "darts_tables", "retrain_report"),
        *("lines", "estimates", "sources", "figure_sources", "cell_sources", "findings", "missing"),
        *("claim_rules", "claims", "report_claims"),
        *("report", "report_figures", "report_style", "report_readme", "site", "workflow"),
    ),
    ("data", "spaces"),
    ("architecture",),
    ("nets",),
    ("methods",),
    (
        *("device", "threads", "precision", "schedule", "learning_rate", "checkpoint", "snapshots", "optimisers"),
        *("bilevel", "steps", "captured", "ranks", "memory"),
    ),
    (
        *("search", "retrain", "retrain_run", "evaluation", "experiment", "together", "live", "live_training", "speed"),
        *("comparison_run", "distributed", "jobs", "launch", "darts_costs", "search_data"),
    ),
    ("trained", "study_runs", "hessian", "exploration", "theory"),
    ("hessian_study", "proposition", "constrained"),
    ("lambda_ablation",),
)
ROW = {name: number for number, names in enumerate(ROWS, start=1) for name in names}
WITHOUT_TORCH = {name for names in ROWS[:3] for name in names}
LONGEST = 300
LIBRARY = PROJECT / "drnas_lib"
FILES = sorted(LIBRARY.rglob("*.py"))
PYTHON = [*FILES, *sorted((PROJECT / "tests").rglob("*.py"))]


def module(path: Path) -> str:
    """`drnas_lib/nets/supernet.py` is `nets.supernet`, `drnas_lib/nets/__init__.py` is `nets`."""
    return ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES = {module(path): path for path in FILES}


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Full names that a file imports: modules, and `module.name` of each name taken from one. `everywhere`: in functions too."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}; write the full name"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(path: Path, everywhere: bool = True) -> set[str]:
    """The modules of this library that a file imports."""
    inside = {name.removeprefix("drnas_lib.") for name in imports(path, everywhere) if name.startswith("drnas_lib.")}
    return inside & MODULES.keys()


def row(name: str) -> int:
    return ROW[name.partition(".")[0]]


def test_every_module_has_a_row():
    without = sorted({name.partition(".")[0] for name in MODULES if name} - ROW.keys())
    assert not without, "say in ROWS what they may import"


def test_imports_come_from_the_same_row_or_one_above():
    wrong = [
        f"{name} (row {row(name)}) imports {other} (row {row(other)})"
        for name, path in MODULES.items()
        for other in sorted(own_imports(path) - {""})
        if row(other) > row(name)
    ]
    assert not wrong


def test_no_circles():
    graph = {name: own_imports(path, everywhere=False) - {name} for name, path in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_the_package_re_exports_nothing():
    assert imports(LIBRARY / "__init__.py") == {"os"}


def test_reading_results_needs_no_torch():
    """In a process of its own, since this one has imported torch already."""
    names = sorted(f"drnas_lib.{name}" for name in MODULES if name.partition(".")[0] in WITHOUT_TORCH)
    code = f"import sys, {', '.join(names)}\nassert 'torch' not in sys.modules\nprint('instant')"
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert answer.stdout == "instant\n", answer.stderr


def test_files_hold_one_idea():
    lengths = {path.name: path.read_text().count("\n") for path in FILES}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert not {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"} & lengths.keys()


def test_no_star_imports():
    assert not [path for path in PYTHON if any(name.endswith(".*") for name in imports(path))]
