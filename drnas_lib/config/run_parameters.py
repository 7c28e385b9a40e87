"""The base class of the parameters of a search and of a training: defaults by scale, images, name and folder of the run. No torch."""

import hashlib
import json
import os
import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from drnas_lib.config import kinds
from drnas_lib.config.image_rules import INDEX_LIST_COMMAND, PIXELS, largest_hole
from drnas_lib.config.parameters import Parameters, Truth, reject
from drnas_lib.config.presets import MACROS, READ_FROM_FOLDERS, STREAMED
from drnas_lib.config.scales import FULL
from drnas_lib.runs.files import PROJECT, RunFolder, resolve

LONGEST_STEM = 100


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The values that a search and a training share, complete."""

    space: str  # of the search; of a trained cell: that of the search which found it, empty if no search of this project did
    method: str  # likewise
    dataset: str
    protocol: str
    scale: str = "full"  # which decides the settings, except those in `changed`
    seed: int
    device: str
    precision: str = "float32"  # of the convolutions
    workers: int
    data_folder: str | None
    macro: str
    channels: int
    cells: int
    subset: int | None
    stem: str
    folder: str  # of the run, relative to the project
    reduced: tuple[str, ...]  # reasons why the run is smaller than the protocol's or recipe's; empty for a full one
    changed: tuple[str, ...] = ()  # other differences from the defaults
    fingerprint: str  # a hash of everything that the result depends on

    def as_dict(self) -> dict:
        """A dict of plain JSON types."""
        return asdict(self)


class RunParameters(Parameters):
    """The parameters that a search and a training share; None: the default of protocol, or recipe, and scale.

    A setting is what a run uses for a parameter: the value of the caller, otherwise the default of the protocol at this scale.
    """

    dataset: kinds.Dataset
    data_folder: kinds.FolderPath | None = None
    image_size: kinds.Pixels | None = None
    protocol: kinds.Protocol = "released"
    scale: kinds.Scale = "full"
    seed: kinds.Seed = 0
    device: kinds.Device = "auto"
    processes: kinds.Count = 1
    workers: kinds.Workers = 4
    results: kinds.FolderPath
    name: kinds.Name | None = None
    rerun: Truth = False
    subset: kinds.Count | None = None
    batch_size: kinds.BatchSize | None = None
    cells: kinds.Cells | None = None
    channels: kinds.Channels | None = None
    weight_decay: kinds.NotNegative | None = None
    grad_clip: kinds.Positive | None = None
    label_smoothing: kinds.Fraction | None = None
    drop_path: kinds.Fraction | None = None
    cutout: kinds.Cutout | None = None

    @property
    @abstractmethod
    def _defaults(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The default settings: at full length, and at this scale."""

    @cached_property
    def _values(self) -> dict[str, Any]:
        """The settings of this run."""
        _, scaled = self._defaults
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: default if given.get(name) is None else given[name] for name, default in scaled.items()}

    @property
    def _differences(self) -> dict[str, Any]:
        """The settings of this run that differ from the defaults at this scale."""
        _, scaled = self._defaults
        return {name: value for name, value in self._values.items() if value != scaled[name]}

    @property
    def _pixels(self) -> int:
        return self.image_size or PIXELS[self.dataset]

    def _image_problems(self, macro: str) -> Iterator[str]:
        """A sentence for each parameter that does not fit the data set, its images or the network `macro`."""
        of_data, streamed, values = f"with dataset={self.dataset!r}", self.dataset == STREAMED, self._values
        for name in ("data_folder", "image_size"):
            if (value := getattr(self, name)) is not None and self.dataset not in READ_FROM_FOLDERS:
                yield f"{name}={value!r} {of_data}: only dataset='folder' and dataset={STREAMED!r} read it."
        if self.data_folder is None and self.dataset == "folder":
            yield "dataset='folder' without data_folder: say where the image folder is."
        for name in ("index_lists", "index_list"):
            if (value := getattr(self, name, None)) is not None and not streamed:
                yield f"{name}={value!r} {of_data}: only {STREAMED} reads index lists; `subset` takes fewer images."
        if streamed and values["subset"] is not None:
            yield f"subset={values['subset']} {of_data}: make index lists instead ({INDEX_LIST_COMMAND}) and name them."
        if streamed and values["cutout"]:
            yield f"cutout={values['cutout']} {of_data}: streamed images get no hole. Allowed is cutout=0."
        if not streamed and values["cutout"] > (most := largest_hole(self._pixels)):
            why = f"a hole must leave at least half of the image, so allowed are even numbers from 0 to {most}"
            yield f"cutout={values['cutout']} with images of {self._pixels} pixels a side: {why}."
        if self._pixels % (shrinks := MACROS[macro].shrinks):
            size, of_data = self._pixels, f"dataset={self.dataset!r}, whose images have"
            image = f"image_size={size}" if self.image_size else f"{of_data} {size} pixels,"
            yield f"{image} with the network {macro!r}: it divides the size by {shrinks}, so the size must be a multiple of {shrinks}."
        yield from share_problems(self.processes, values["batch_size"])

    def _name_and_folder(self, parts: list[str], differences: dict[str, Any]) -> tuple[str, str]:
        """Name and folder of the run, by `parts` and differences from the defaults. Raises ParameterError if its images are missing."""
        parts = [*parts, *([self.scale] if self.scale != FULL else [])]
        for name, value in differences.items():
            if value is not None:
                parts.append(name.replace("_", "-") + _as_part(value))
        stem = "_".join(parts)
        if len(stem) > LONGEST_STEM:
            stem = f"{stem[: LONGEST_STEM - 9]}_{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
        folder = PurePath(self.results, self.name or stem, f"seed{self.seed}").as_posix()
        reject(self._missing_images(folder))
        return self.name or stem, folder

    def _missing_images(self, folder: str) -> Iterator[str]:
        """A sentence for each image folder or index list that does not exist. A finished run needs neither."""
        if self.dataset not in READ_FROM_FOLDERS or not self.rerun and RunFolder(folder).done:
            return
        for name, kind, exists in (("data_folder", "folder", os.path.isdir), ("index_list", "file", os.path.isfile)):
            path = getattr(self, name, None)
            if path is not None and not exists(place := resolve(path)):
                what = f"allowed is a {kind}, and that is none" if os.path.exists(place) else f"there is no such {kind}"
                yield f"{name}={path!r}: {what}. Looked for was {place}; a relative path starts at {PROJECT}."


def share_problems(processes: int, batch_size: int) -> Iterator[str]:
    """A sentence if the processes cannot share a batch equally."""
    if batch_size % processes:
        what = f"processes={processes} with batch_size={batch_size}: each needs an equal share of a batch"
        yield f"{what}, so allowed is what divides {batch_size}."


def file_part(name: str, flags: int = 0) -> str:
    """The name of a file or folder for the name of a run: without spaces and special characters."""
    return re.sub(r"[^\w.-]+", "-", name, flags=flags)


def _as_part(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(map(str, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def fingerprint(values: dict[str, Any]) -> str:
    """16 hexadecimal digits of a hash of the values, which does not depend on their order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
