"""What stands on what: the searches behind a parameter file of a table or study, and where a search is kept."""

from collections.abc import Iterator

from drnas_lib.collection.paper.commands import Command, read_params
from drnas_lib.config.search import SearchConfig


def searches(notebook: str, name: str) -> Iterator[tuple[str, int]]:
    """Stem and seed of each search at full length that params/<notebook>/<name>.yaml asks for; small ones the notebook makes itself."""
    for settings in Command(notebook, name, name).searches():
        if not settings.reduced:
            yield settings.stem, settings.seed


def run_folder(search: str, seed: int, results: str) -> str:
    """Where the search of params/search/<search>.yaml is kept, under the folder `results` of searches."""
    return SearchConfig.of(read_params("search", search) | {"seed": seed, "results": results}).settings().folder
