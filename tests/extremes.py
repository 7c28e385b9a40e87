"""Every parameter of the notebooks at its extremes, from the kinds themselves: a new parameter is covered without a new line here.

python -m tests.extremes              # what each of them leads to, as a table
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from drnas_lib.collection.speed.config import SpeedConfig
from drnas_lib.collection.studies.comparison import ComparisonConfig, PartialChannelsConfig
from drnas_lib.collection.studies.config import (
    ConstrainedConfig,
    ExplorationConfig,
    HessianConfig,
    LambdaConfig,
    ReportConfig,
    TheoryConfig,
)
from drnas_lib.config.parameters import Kind, ParameterError, Parameters
from drnas_lib.config.retrain import RetrainConfig
from drnas_lib.config.search import SearchConfig
from drnas_lib.errors import short_repr

CONFIGS: dict[str, type[Parameters]] = {
    "search": SearchConfig,
    "retrain": RetrainConfig,
    "nas_bench_201": ComparisonConfig,
    "partial_channels": PartialChannelsConfig,
    "speed": SpeedConfig,
    "exploration": ExplorationConfig,
    "constrained": ConstrainedConfig,
    "theory": TheoryConfig,
    "hessian": HessianConfig,
    "lambda_ablation": LambdaConfig,
    "darts_space": ReportConfig,
    "robust_spaces": ReportConfig,
    "report": ReportConfig,
}
FOLLOWS = ("settings", "searches", "lookups")  # what the notebook works out of its parameters in the same cell
WRONG = ([], {}, object, "\x00")  # values of no kind


@dataclass(frozen=True)
class Case:
    """A value of a parameter of a notebook, and where it stands: 'smallest', 'largest', 'outside' or 'another kind'."""

    notebook: str
    name: str
    value: Any
    where: str

    def __str__(self) -> str:
        return f"{self.notebook}-{self.name}-{self.where}-{short_repr(self.value)[:30]}"

    @property
    def taken(self) -> bool:
        """Whether the kind takes it, whatever the other parameters are."""
        try:
            CONFIGS[self.notebook](**{self.name: self.value})
        except ValueError:
            return False
        return True

    def outcome(self) -> str:
        """'taken', or what the notebook says in its first cell. Raises what it should not."""
        try:
            checked = CONFIGS[self.notebook].from_notebook({self.name: self.value})
            for step in FOLLOWS:
                getattr(checked, step, lambda: None)()
        except ParameterError as error:
            return str(error).removeprefix("the parameters do not fit:\n  ")
        return "taken"


def kind_of(config: type[Parameters], name: str) -> Kind:
    """The kind of a field, None being allowed or not. Raises StopIteration for a field that has none."""
    field = config.model_fields[name]
    kinds = [*field.metadata, *(mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ()))]
    return next(mark for mark in kinds if isinstance(mark, Kind))


def cases() -> Iterator[Case]:
    for notebook, config in CONFIGS.items():
        for name in config.model_fields:
            kind = kind_of(config, name)
            inside = dict(zip(("smallest", "largest"), (kind.inside[0], kind.inside[-1])))
            for where, value in inside.items():
                yield Case(notebook, name, value, where)
            for value in kind.outside:
                yield Case(notebook, name, value, "outside")
            for value in WRONG:
                if value not in kind.inside:  # an empty list of runs is allowed
                    yield Case(notebook, name, value, "another kind")


def table() -> str:
    """Markdown, a line for each value but those of another kind."""
    rows = ["| notebook | parameter | value | where | what happens |", "|---|---|---|---|---|"]
    for case in cases():
        if case.where != "another kind":
            cells = case.notebook, case.name, f"`{_cut(short_repr(case.value), 40)}`", case.where, _cut(case.outcome(), 300)
            rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 4]} ..."


if __name__ == "__main__":
    print(table())
