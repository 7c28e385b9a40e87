"""The parameters of a retraining, checked; its complete settings, and which of them make it another run. No torch."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any

from drnas_lib.config import kinds, scales
from drnas_lib.config.cells import ALLOWED, Cell, UnknownCell, find, reader
from drnas_lib.config.image_rules import HOLE_PIXELS, scaled_hole
from drnas_lib.config.parameters import Kind, checked_path, choice
from drnas_lib.config.presets import MACROS, STREAMED
from drnas_lib.config.recipes import RECIPES, TAIL_EPOCHS, Recipe, darts_macro, recipe_of, usual_recipe
from drnas_lib.config.run_parameters import RunParameters, RunSettings, file_part, fingerprint
from drnas_lib.genotype import GenotypeError, Nb201Genotype
from drnas_lib.runs.files import RecordError

LONGEST_CELL = 10_000  # characters of a cell as text


def _description(value: Any) -> str:
    """Check a cell as text, in one or several lines, or a name or a path. Raises ValueError."""
    if isinstance(value, str) and len(value) <= LONGEST_CELL and reader(value):
        return " ".join(value.split())
    return checked_path(value, ALLOWED)


AS_TEXT = "normal: none~0 none~1; reduce: none~0 none~1"
Genotype = Annotated[str, Kind(_description, ("darts_v2", AS_TEXT), ("", "x", "x" * 300, "normal: none"))]
RecipeName = Annotated[str, choice(*RECIPES)]
OF_THE_RECIPE = tuple(field.name for field in fields(Recipe))
SHAPE = ("channels", "cells")
CHOICES = ("genotype", "dataset", "protocol", "scale", "seed", "device", "precision", "workers", "data_folder", "index_list")
# Not in the fingerprint: the result does not depend on them, `cell_json` holds the cell, and images have a fingerprint of their own.
NOT_OF_THE_RESULT = ("genotype", "cell", "device", "workers", "data_folder", "index_list", "scale")


@dataclass(frozen=True, kw_only=True)
class RetrainSettings(RunSettings):
    """Every value that a training needs, and the folder of the run."""

    genotype: str  # the parameter: a name, a path or a cell as text
    cell: str  # the cell's name
    cell_json: dict
    cell_source: str
    published: bool
    paper_rows: dict
    recipe_name: str
    recipe: Recipe
    image_size: int
    index_list: str | None

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size


class RetrainConfig(RunParameters):
    """The parameters of notebooks/retrain.ipynb; None: the default of recipe and scale."""

    genotype: Genotype = "DrNAS_cifar10"
    dataset: kinds.Dataset = "cifar10"
    index_list: kinds.FolderPath | None = None
    recipe: RecipeName | None = None
    precision: kinds.Precision = "float32"
    results: kinds.FolderPath = "results/retrain"
    epochs: kinds.Epochs | None = None
    lr: kinds.Positive | None = None
    warmup_epochs: kinds.CountOrZero | None = None
    auxiliary: kinds.NotNegative | None = None

    def _problems(self) -> list[str]:
        try:
            macro = self._macro
        except (UnknownCell, GenotypeError, RecordError) as error:
            return [f"genotype={self.genotype!r}: {error}"]
        if self.scale not in (allowed := scales.for_training(macro, self.dataset)):
            of = f"dataset={self.dataset!r} and a cell of this kind"
            return [f"scale={self.scale!r} with {of}: they have no such scale. Allowed are {', '.join(allowed)}."]
        return list(self._contradictions(macro))

    def _contradictions(self, macro: str) -> Iterator[str]:
        values, fewest = self._values, MACROS[macro].fewest_cells
        if macro == "nb201" and self.dataset == STREAMED:
            yield f"dataset={self.dataset!r} with a NAS-Bench-201 cell: its network is for small images. Use dataset='folder'."
        yield from self._image_problems(macro)
        if values["cells"] < fewest:
            yield f"cells={values['cells']}: two of the cells reduce, so allowed are {fewest} or more."
        if macro == "nb201" and (values["auxiliary"] or values["drop_path"]):
            lacks = "its network has no auxiliary head and no drop path"
            yield f"recipe={self._recipe_name!r} with a NAS-Bench-201 cell: {lacks}, so allowed are auxiliary=0 and drop_path=0."
        if values["warmup_epochs"] >= (epochs := values["epochs"]):
            yield f"warmup_epochs={values['warmup_epochs']} with epochs={epochs}: allowed are 0 to {epochs - 1}."
        if values["schedule"] == "linear_tail" and epochs <= TAIL_EPOCHS:
            yield f"epochs={epochs} with protocol='released': the last {TAIL_EPOCHS} are its tail, so allowed are more than those."
        if values["subset"] is not None and values["subset"] < (batch_size := values["batch_size"]):
            yield f"subset={values['subset']} with batch_size={batch_size}: allowed are {batch_size} or more, a whole batch."

    @cached_property
    def _cell(self) -> Cell:
        """The cell to train. Raises UnknownCell, GenotypeError, RecordError."""
        return find(self.genotype)

    @property
    def _macro(self) -> str:
        """The network around the cell."""
        return "nb201" if isinstance(self._cell.genotype, Nb201Genotype) else darts_macro(self.dataset)

    @property
    def _usual_recipe(self) -> str:
        return usual_recipe(self._macro, self._cell.space)

    @property
    def _recipe_name(self) -> str:
        return self.recipe or self._usual_recipe

    @cached_property
    def _defaults(self) -> tuple[dict[str, Any], dict[str, Any]]:
        recipe = vars(recipe_of(self._recipe_name, self.protocol))
        published = recipe | {name: getattr(MACROS[self._macro], name) for name in SHAPE} | {"subset": None}
        scaled = scales.training(self.scale, self._macro, self.dataset, published)
        if self.dataset != STREAMED:  # the hole covers the same share of an image of any size
            scaled = scaled | {"cutout": scaled_hole(scaled["cutout"], self._pixels)}
        return published, scaled

    def settings(self) -> RetrainSettings:
        """The complete settings. Raises ParameterError if parameters contradict each other."""
        self.check()
        cell, recipe = self._cell, Recipe(**{name: self._values[name] for name in OF_THE_RECIPE})
        values = {name: getattr(self, name) for name in CHOICES} | {name: self._values[name] for name in (*SHAPE, "subset")}
        values |= {"image_size": self._pixels, "recipe": recipe, "macro": self._macro, "recipe_name": self._recipe_name}
        values |= {"cell": cell.name, "cell_json": cell.genotype.to_json()}
        relevant = {name: value for name, value in values.items() if name not in NOT_OF_THE_RESULT} | {"recipe": asdict(recipe)}
        if self.precision == "float32":  # not in the fingerprint, which is older than the parameter
            del relevant["precision"]
        stem, folder = self._name_and_folder(self._name_parts(), self._differences | self._other_differences())
        return RetrainSettings(
            **values,
            cell_source=cell.source,
            published=cell.published,
            paper_rows=cell.paper_rows,
            space=cell.space,
            method=cell.method,
            stem=stem,
            folder=folder,
            reduced=tuple(scales.training_reductions(self._values, self._defaults[0], self.index_list, self._pixels, self.dataset)),
            changed=tuple(self._changes()),
            fingerprint=fingerprint(relevant),
        )

    def _name_parts(self) -> list[str]:
        other_recipe = [self._recipe_name.replace("_", "-")] if self._recipe_name != self._usual_recipe else []
        return [self._cell.name, self.dataset, self.protocol, *other_recipe]

    def _other_differences(self) -> dict[str, Any]:
        folder = self.data_folder if self.dataset == "folder" else None
        return {
            "image_size": self.image_size,
            "precision": self.precision if self.precision != "float32" else None,
            "list": self.index_list and file_part(PurePath(self.index_list).stem, re.ASCII),
            "folder": folder and file_part(PurePath(folder).name, re.ASCII),
        }

    def _changes(self) -> Iterator[str]:
        """The other differences from the recipe."""
        (published, _), values = self._defaults, self._values
        for name in OF_THE_RECIPE:
            value, usual = values[name], published[name]
            if value != usual and not (name == "epochs" and value < usual):
                why = f", as {self._pixels} is to {HOLE_PIXELS} pixels" if name == "cutout" and self.cutout is None else ""
                yield f"{name} {value} instead of {usual}{why}"
        yield from (f"{values[name]} instead of {published[name]} {name}" for name in SHAPE if values[name] > published[name])
        if self.precision != "float32":
            yield f"precision {self.precision} instead of float32"
