"""What stands on what: the searches behind a parameter file of a table or study, and where a search is kept."""

from collections.abc import Iterator

import yaml

from drnas_lib.comparison import ComparisonConfig, PartialChannelsConfig
from drnas_lib.config import SearchConfig
from drnas_lib.records import PROJECT
from drnas_lib.study_config import HessianConfig, LambdaConfig

CONFIGS = {
    "search": SearchConfig,
    "nas_bench_201": ComparisonConfig,
    "partial_channels": PartialChannelsConfig,
    "hessian": HessianConfig,
    "lambda_ablation": LambdaConfig,
}


def values(notebook: str, name: str) -> dict:
    """What params/<notebook>/<name>.yaml says."""
    return yaml.safe_load((PROJECT / "params" / notebook / f"{name}.yaml").read_text()) or {}


def searches(notebook: str, name: str) -> Iterator[tuple[str, int]]:
    """Stem and seed of each search at full length that params/<notebook>/<name>.yaml asks for; reduced ones the notebook makes itself."""
    for search in CONFIGS[notebook].of(values(notebook, name)).searches():
        settings = getattr(search, "settings", search)
        if not settings.reduced:
            yield settings.stem, settings.seed


def run_folder(search: str, seed: int, results: str) -> str:
    """Where the search of params/search/<search>.yaml is kept, under the folder `results` of searches."""
    return SearchConfig.of(values("search", search) | {"seed": seed, "results": results}).settings().folder
