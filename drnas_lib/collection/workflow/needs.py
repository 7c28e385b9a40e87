"""The dependencies of the Snakefile's rules: the searches behind a table or study, and the folder of a search."""

from collections.abc import Iterator

from drnas_lib.collection.paper.commands import Command, read_params
from drnas_lib.config.search import SearchConfig


def searches(notebook: str, name: str) -> Iterator[tuple[str, int]]:
    """Stem and seed of each full-length search of params/<notebook>/<name>.yaml. A notebook makes its small searches by itself."""
    for settings in Command(notebook, name, name).searches():
        if not settings.reduced:
            yield settings.stem, settings.seed


def run_folder(search: str, seed: int, results: str) -> str:
    """The folder of the search of params/search/<search>.yaml, under the folder `results` of searches."""
    return SearchConfig.of(read_params("search", search) | {"seed": seed, "results": results}).settings().folder
