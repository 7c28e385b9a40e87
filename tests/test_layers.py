"""The library's order: a package imports only from packages before its own, and files never import in a circle."""

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

from drnas_lib.runs.files import PROJECT

MODULES_OF_THE_TOP = ("errors", "genotype")
LIBRARY = (
    "runs", "config", "benchmark", "spaces", "data", "architecture", "nets", "parallel", "methods", "retrain", "search", "distributed",
)  # fmt: skip
COLLECTION = ("views", "speed", "studies", "paper", "site", "workflow")  # below `collection`
ORDER = (*MODULES_OF_THE_TOP, *LIBRARY, *(f"collection.{name}" for name in COLLECTION))
WITHOUT_TORCH = (
    *("errors", "genotype", "config", "benchmark", "collection.paper", "collection.site", "collection.views", "collection.workflow"),
    *("runs.files", "runs.integrity", "runs.identity", "runs.index", "search.trained_cells"),
    *("collection.studies.config", "collection.studies.comparison", "collection.studies.comparison_report"),
)
MOST_MODULES, MOST_PACKAGES, MOST_FILES, MOST_LINES = 3, 14, 15, 300
ROOT = PROJECT / "drnas_lib"
FILES = sorted(ROOT.rglob("*.py"))
PYTHON = [*FILES, *sorted((PROJECT / "tests").rglob("*.py"))]


def module(path: Path) -> str:
    """`drnas_lib/nets/nb201.py` is `nets.nb201`, `drnas_lib/nets/__init__.py` is `nets`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES = {module(path): path for path in FILES}


def package(name: str) -> str:
    """Of a module; inside the collection the level below it counts."""
    return ".".join(name.split(".")[: 2 if name.startswith("collection.") else 1])


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
    """The modules of this project that a file imports."""
    inside = {name.removeprefix("drnas_lib.") for name in imports(path, everywhere) if name.startswith("drnas_lib.")}
    return inside & MODULES.keys()


def test_every_package_has_its_place_in_the_order():
    assert {package(name) for name in MODULES} - {"", "collection"} == set(ORDER)


def test_packages_import_from_packages_before_them():
    wrong = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        for other in sorted(own_imports(path) - {"", "collection"})
        if name and ORDER.index(package(other)) > ORDER.index(package(name))
    ]
    assert not wrong


def test_files_import_in_no_circle():
    graph = {name: own_imports(path, everywhere=False) - {name} for name, path in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_a_newcomer_can_take_in_the_tree():
    top = [path for path in ROOT.iterdir() if path.name not in ("__init__.py", "__pycache__")]
    assert sum(path.is_file() for path in top) <= MOST_MODULES and sum(any(path.glob("*.py")) for path in top) <= MOST_PACKAGES
    sizes = {name: sum(package(m) == name and not p.name.startswith("__") for m, p in MODULES.items()) for name in ORDER}
    assert not {name: size for name, size in sizes.items() if size > MOST_FILES}


def test_a_page_says_what_each_package_is_for():
    page = (PROJECT / "docs" / "layout.md").read_text()
    for name in (*LIBRARY, *(f"collection.{name}" for name in COLLECTION)):
        purpose = ast.get_docstring(ast.parse(MODULES[name].read_text())).partition("\n")[0]
        line = f"`drnas_lib/{name.replace('.', '/')}/` | {purpose} |"
        assert line in page, f"docs/layout.md lacks: {line}"


def test_the_package_re_exports_nothing():
    assert imports(ROOT / "__init__.py") <= {"os"}


def test_reading_results_needs_no_torch():
    """In a process of its own, since this one has imported torch already."""
    parts = tuple(f"{name}." for name in WITHOUT_TORCH)
    without = {name for name in MODULES if f"{name}.".startswith(parts) and not name.endswith(("__main__", ".live"))}
    names = sorted(f"drnas_lib.{name}" for name in without)
    code = f"import sys, {', '.join(names)}\nassert 'torch' not in sys.modules\nprint('instant')"
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert answer.stdout == "instant\n", answer.stderr


def test_files_hold_one_idea():
    assert not [path for path in FILES if path.read_text().count("\n") > MOST_LINES]
    assert not {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"} & {path.name for path in FILES}


def test_no_star_imports():
    assert not [path for path in PYTHON if any(name.endswith(".*") for name in imports(path))]
