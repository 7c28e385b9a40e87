"""The parameters of a retraining, checked before any image is read, and the complete settings that follow from them. No torch."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator

from drnas_lib.config import holes, scales, stream_rules
from drnas_lib.config.cells import ALLOWED, Cell, UnknownCell, find, reader
from drnas_lib.config.darts_presets import ROBUST_SPACES
from drnas_lib.config.kinds import (
    BatchSize,
    Cells,
    Channels,
    Count,
    Cutout,
    Device,
    Epochs,
    FolderPath,
    Name,
    NotNegative,
    Pixels,
    Positive,
    Precision,
    Scale,
    Seed,
    Workers,
    equal_shares,
)
from drnas_lib.config.parameters import Extremes, ParameterError, Parameters, Truth, checked_path, choice, integer, listed, number
from drnas_lib.config.presets import FAMILIES, STREAMED
from drnas_lib.config.recipes import PROTOCOLS, RECIPES, TAIL_EPOCHS, Recipe, recipe_of
from drnas_lib.config.search import LONGEST_STEM
from drnas_lib.config.space_rules import PIXELS
from drnas_lib.genotype import GenotypeError, Nb201Genotype
from drnas_lib.runs.records import RecordError

LONGEST_CELL = 10_000  # characters of a cell as text


def _description(value: Any) -> str:
    """What cells.find reads: a cell as text may be longer than a path, and in several lines."""
    if isinstance(value, str) and len(value) <= LONGEST_CELL and reader(value):
        return " ".join(value.split())
    return checked_path(value, ALLOWED)


AS_TEXT = "normal: none~0 none~1; reduce: none~0 none~1"
Genotype = Annotated[str, BeforeValidator(_description), Extremes(("darts_v2", AS_TEXT), ("", "x", "x" * 300, "normal: none"))]
Dataset = choice(*FAMILIES)
Protocol = choice(*PROTOCOLS)
RecipeName = choice(*RECIPES)
Whole = integer(0)
Probability = number("a number from 0 to below 1", lambda value: 0 <= value < 1)
MACROS = {  # cells and channels of the published networks, and by what the image must be divisible
    "nb201": {"cells": 5, "channels": 16, "divisor": 4},
    "cifar": {"cells": 20, "channels": 36, "divisor": 4},
    "imagenet": {"cells": 14, "channels": 48, "divisor": 32},
}
FEWEST_CELLS = {"nb201": 1, "cifar": 3, "imagenet": 3}
OF_THE_RECIPE = (
    "epochs", "batch_size", "lr", "weight_decay", "grad_clip", "warmup_epochs", "label_smoothing", "auxiliary", "drop_path", "cutout",
)  # fmt: skip
NOT_OF_THE_RESULT = ("genotype", "cell", "device", "workers", "data_folder", "index_list", "scale")
CHOICES = ("genotype", "dataset", "protocol", "scale", "seed", "device", "precision", "workers", "data_folder", "index_list")

Published = tuple[Recipe, dict[str, int]]  # the recipe; channels and cells
Asked = tuple[Recipe, dict[str, int], int | None]  # and the number of training images, None for all


@dataclass(frozen=True)
class RetrainSettings:
    """Every value that a training needs, and where it is kept."""

    genotype: str  # as the parameter says it
    cell: str  # its name
    cell_json: dict
    cell_source: str
    published: bool
    paper_rows: dict
    space: str  # of the search that found the cell, and its method; empty where it was not one of ours
    method: str
    dataset: str
    protocol: str
    recipe_name: str
    recipe: Recipe
    macro: str
    channels: int
    cells: int
    image_size: int
    subset: int | None
    seed: int
    device: str
    workers: int
    data_folder: str | None
    index_list: str | None
    stem: str
    folder: str  # of the run, relative to the project
    reduced: tuple[str, ...]  # why this is less than the recipe's run; empty when it is not
    changed: tuple[str, ...]  # what else differs from the recipe
    fingerprint: str  # of everything that the result depends on
    scale: str = "full"  # of which these are the settings, but for what `changed` names
    precision: str = "float32"  # what products round to

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def as_dict(self) -> dict:
        """JSON-ready."""
        return asdict(self)


class RetrainConfig(Parameters):
    """The parameters of notebooks/retrain.ipynb; None means that recipe and scale decide."""

    genotype: Genotype = "DrNAS_cifar10"
    dataset: Dataset = "cifar10"
    data_folder: FolderPath | None = None
    image_size: Pixels | None = None
    index_list: FolderPath | None = None
    protocol: Protocol = "released"
    recipe: RecipeName | None = None
    scale: Scale = "full"
    seed: Seed = 0
    device: Device = "auto"
    precision: Precision = "float32"
    processes: Count = 1
    workers: Workers = 4
    results: FolderPath = "results/retrain"
    name: Name | None = None
    rerun: Truth = False
    epochs: Epochs | None = None
    subset: Count | None = None
    batch_size: BatchSize | None = None
    cells: Cells | None = None
    channels: Channels | None = None
    lr: Positive | None = None
    warmup_epochs: Whole | None = None
    weight_decay: NotNegative | None = None
    grad_clip: Positive | None = None
    label_smoothing: Probability | None = None
    auxiliary: NotNegative | None = None
    drop_path: Probability | None = None
    cutout: Cutout | None = None

    def _problems(self) -> list[str]:
        try:
            cell = self._cell()
        except (UnknownCell, GenotypeError, RecordError) as error:
            return [f"genotype={self.genotype!r}: {error}"]
        if self.scale not in (there := scales.for_training(self._macro(cell), self.dataset)):
            of = f"dataset={self.dataset!r} and a cell of this kind"
            return [f"scale={self.scale!r} with {of}: they have no such scale. Allowed are {', '.join(there)}."]
        return list(self._contradictions(cell))

    def _cell(self) -> Cell:
        return find(self.genotype)

    def _macro(self, cell: Cell) -> str:
        return "nb201" if isinstance(cell.genotype, Nb201Genotype) else "imagenet" if self.dataset == STREAMED else "cifar"

    def _recipe_name(self, cell: Cell) -> str:
        return self.recipe or self._usual_recipe(cell)

    def _usual_recipe(self, cell: Cell) -> str:
        macro = self._macro(cell)
        return macro if macro in RECIPES else "robust_spaces" if cell.space in ROBUST_SPACES else "drnas"

    def _published(self, cell: Cell) -> Published:
        """The recipe, and how many channels and cells the published network has."""
        shape = {name: MACROS[self._macro(cell)][name] for name in ("channels", "cells")}
        return recipe_of(self._recipe_name(cell), self.protocol), shape

    def _scaled(self, cell: Cell) -> Asked:
        """The same at this scale, its hole of the same share of the image, and the number of training images, None for all."""
        recipe, shape, subset = scales.training(self.scale, self._macro(cell), self.dataset, *self._published(cell))
        hole = recipe.cutout if self.dataset == STREAMED else holes.scaled(recipe.cutout, self._size())
        return replace(recipe, cutout=hole), shape, subset

    def _asked(self, cell: Cell) -> Asked:
        """The same with the values that were given."""
        recipe, shape, subset = self._scaled(cell)
        given = {name: getattr(self, name) for name in OF_THE_RECIPE if getattr(self, name) is not None}
        return replace(recipe, **given), {n: getattr(self, n) or v for n, v in shape.items()}, self.subset or subset

    def _size(self) -> int:
        return self.image_size or PIXELS[self.dataset]

    def _contradictions(self, cell: Cell) -> Iterator[str]:
        macro, (recipe, shape, subset) = self._macro(cell), self._asked(cell)
        streamed, own = self.dataset == STREAMED, self.dataset == "folder"
        if macro == "nb201" and streamed:
            yield f"dataset={self.dataset!r} with a NAS-Bench-201 cell: its network is for small images. Use dataset='folder'."
        if self.data_folder is not None and not (streamed or own):
            yield f"data_folder={self.data_folder!r} with dataset={self.dataset!r}: only folder and {STREAMED} read it."
        if self.data_folder is None and own:
            yield "dataset='folder' without data_folder: say where the image folder is."
        if self.image_size is not None and not (streamed or own):
            yield f"image_size={self.image_size} with dataset={self.dataset!r}: only folder and {STREAMED} resize."
        if self.index_list is not None and not streamed:
            yield f"index_list={self.index_list!r} with dataset={self.dataset!r}: only {STREAMED} reads one; `subset` takes fewer images."
        if self.subset is not None and streamed:
            yield f"subset={self.subset} with dataset={self.dataset!r}: make an index list (drnas_lib.data.index_lists) and name it."
        if self._size() % MACROS[macro]["divisor"]:
            yield f"image_size={self._size()}: the network needs a multiple of {MACROS[macro]['divisor']}."
        if shape["cells"] < FEWEST_CELLS[macro]:
            yield f"cells={shape['cells']}: two of the cells reduce, so allowed are {FEWEST_CELLS[macro]} or more."
        if recipe.cutout and streamed:
            yield f"cutout={recipe.cutout} with dataset={self.dataset!r}: images that are streamed get no hole. Allowed is cutout=0."
        if not streamed:
            yield from holes.problems(recipe.cutout, self._size())
        if macro == "nb201" and (recipe.auxiliary or recipe.drop_path):
            yield f"recipe={self._recipe_name(cell)!r} with a NAS-Bench-201 cell: allowed are auxiliary=0 and drop_path=0, which it lacks."
        if recipe.warmup_epochs >= recipe.epochs:
            yield f"warmup_epochs={recipe.warmup_epochs} with epochs={recipe.epochs}: allowed are 0 to {recipe.epochs - 1}."
        if recipe.schedule == "linear_tail" and recipe.epochs <= TAIL_EPOCHS:
            yield f"epochs={recipe.epochs} with protocol='released': the last {TAIL_EPOCHS} are its tail, so allowed are more than those."
        yield from equal_shares(self.processes, recipe.batch_size)
        if subset is not None and subset < recipe.batch_size:
            yield f"subset={subset} with batch_size={recipe.batch_size}: allowed are {recipe.batch_size} or more, a whole batch."

    def settings(self) -> RetrainSettings:
        """The complete settings. Raises ParameterError where parameters contradict each other."""
        if problems := self._problems():
            raise ParameterError(listed(problems))
        cell, size = self._cell(), self._size()
        published, asked = self._published(cell), self._asked(cell)
        recipe, shape, subset = asked
        values = {name: getattr(self, name) for name in CHOICES} | shape | {"image_size": size, "subset": subset, "recipe": recipe}
        values |= {"macro": self._macro(cell), "recipe_name": self._recipe_name(cell)}
        values |= {"cell": cell.name, "cell_json": cell.genotype.to_json()}
        # The images that folder and list name have a fingerprint of their own, recorded beside this one. It is older than `precision`.
        relevant = {n: v for n, v in values.items() if n not in NOT_OF_THE_RESULT and (n, v) != ("precision", "float32")}
        identity = json.dumps(relevant | {"recipe": asdict(recipe)}, sort_keys=True)
        stem = self.name or self._stem(cell, asked)
        folder = PurePath(self.results, stem, f"seed{self.seed}").as_posix()
        if problems := list(stream_rules.absent(self, folder)):
            raise ParameterError(listed(problems))
        return RetrainSettings(
            **values,
            cell_source=cell.source,
            published=cell.published,
            paper_rows=cell.paper_rows,
            space=cell.space,
            method=cell.method,
            stem=stem,
            folder=folder,
            reduced=tuple(self._reductions(published, asked)),
            changed=tuple(self._changes(published, asked)),
            fingerprint=hashlib.sha256(identity.encode()).hexdigest()[:16],
        )

    def _stem(self, cell: Cell, asked: Asked) -> str:
        (recipe, shape, subset), (usual, usual_shape, usual_subset) = asked, self._scaled(cell)
        parts = [cell.name, self.dataset, self.protocol]
        if self._recipe_name(cell) != self._usual_recipe(cell):
            parts.append(self.recipe.replace("_", "-"))
        parts += [self.scale] if self.scale != scales.FULL else []
        differences: dict[str, Any] = {n: v for n, v in vars(recipe).items() if v != getattr(usual, n)}
        differences |= {n: v for n, v in shape.items() if v != usual_shape[n]}
        differences |= {"subset": subset if subset != usual_subset else None, "image_size": self.image_size}
        differences |= {"precision": self.precision if self.precision != "float32" else None}
        differences |= {"list": self.index_list and PurePath(self.index_list).stem}
        differences |= {"folder": self.data_folder and self.dataset == "folder" and PurePath(self.data_folder).name}
        for name, value in differences.items():
            if value is not None and value is not False:
                shown = f"{value:.12g}" if isinstance(value, float) else re.sub(r"(?a:[^\w.-]+)", "-", str(value))
                parts.append(name.replace("_", "-") + shown)
        if len(stem := "_".join(parts)) > LONGEST_STEM:
            stem = f"{stem[: LONGEST_STEM - 9]}_{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
        return stem

    def _reductions(self, full: Published, asked: Asked) -> Iterator[str]:
        (published, usual), (recipe, shape, subset) = full, asked
        if recipe.epochs < published.epochs:
            yield f"{recipe.epochs} instead of {published.epochs} epochs"
        if subset is not None:
            yield f"{subset} training images instead of all"
        if self.index_list is not None:
            yield f"the training images of {PurePath(self.index_list).name} instead of all"
        yield from (f"{value} instead of {usual[name]} {name}" for name, value in shape.items() if value < usual[name])
        if self._size() < (pixels := PIXELS[self.dataset]):
            yield f"images of {self._size()} instead of {pixels} pixels"

    def _changes(self, full: Published, asked: Asked) -> Iterator[str]:
        (published, usual), (recipe, shape, _) = full, asked
        for name, value in vars(recipe).items():
            if value != getattr(published, name) and not (name == "epochs" and value < published.epochs):
                why = f", as {self._size()} is to {holes.OF_THE_RECIPES} pixels" if name == "cutout" and self.cutout is None else ""
                yield f"{name} {value} instead of {getattr(published, name)}{why}"
        yield from (f"{value} instead of {usual[name]} {name}" for name, value in shape.items() if value > usual[name])
        if self.precision != "float32":
            yield f"precision {self.precision} instead of float32"
