"""What the parameters of a search say of image folders and index lists, checked before any image is read. `config` is a SearchConfig."""

import os
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Annotated, Any

from pydantic import BeforeValidator

from drnas_lib.config.parameters import Extremes
from drnas_lib.config.presets import PERCENTS, STREAMED
from drnas_lib.config.space_rules import PIXELS
from drnas_lib.runs.records import PROJECT, RecordError, RunFolder, read_json, resolve

OF_ONES_OWN = ("folder", STREAMED)  # read from folders, which may change after a run
COMMAND = "python -m drnas_lib.data.index_lists"


def _two(value: Any) -> list[str]:
    """Text with a comma is two, since papermill's -p passes no lists."""
    entries = [part.strip(" []'\"") for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or len(entries) != 2 or not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError(f"allowed are two files that `{COMMAND}` made, for the weights and for eta, such as ten.json,little.json.")
    return list(entries)


IndexLists = Annotated[list[str], BeforeValidator(_two), Extremes((["a.json", "b.json"],), ("a.json", [], ["a.json", ""]))]


def contradictions(config, values: dict[str, Any]) -> Iterator[str]:
    """A sentence for each parameter that only streamed images have, or that they cannot have."""
    of_data = f"with dataset={config.dataset!r}"
    if config.dataset not in OF_ONES_OWN:
        for name in ("data_folder", "image_size"):
            if (value := getattr(config, name)) is not None:
                yield f"{name}={value!r} {of_data}: only dataset='folder' and dataset={STREAMED!r} read it."
    if config.dataset != STREAMED:
        if config.index_lists is not None:
            yield f"index_lists={config.index_lists} {of_data}: only {STREAMED} reads them; `subset` takes fewer images."
        return
    without = {
        "subset": f"make index lists instead ({COMMAND}) and name them.",
        "cutout": "the ImageNet search has none. Allowed is 0.",
    }
    yield from (f"{name}={values[name]} {of_data}: {reason}" for name, reason in without.items() if values[name])
    if values["split"] != "halves":
        yield f"split={values['split']!r} {of_data}: index_lists say which images move eta. Allowed is halves."
    if values["evaluate"] == "train":
        yield f"evaluate='train' {of_data}: the cell is trained by notebooks/retrain.ipynb, -p genotype FOLDER_OF_THE_SEARCH."
    try:
        percents(config)
    except (RecordError, KeyError, TypeError, ValueError) as error:
        yield f"index_lists={config.index_lists}: these are not two index lists ({error}). Make them with {COMMAND}."


def absent(config, run: str) -> Iterator[str]:
    """A sentence where images or index list are not there; `run` is the folder of the run, which needs none once it is finished."""
    if config.dataset not in OF_ONES_OWN or not config.rerun and RunFolder(run).done:
        return
    for name, kind, there in (("data_folder", "folder", os.path.isdir), ("index_list", "file", os.path.isfile)):
        path = getattr(config, name, None)  # a search has two lists, which `percents` reads
        if path is not None and not there(place := resolve(path)):
            what = f"allowed is a {kind}, and that is none" if os.path.exists(place) else f"there is no such {kind}"
            yield f"{name}={path!r}: {what}. Looked for was {place}; a relative path starts at {PROJECT}."


def percents(config) -> tuple[float, ...]:
    """Of the images of each class, for the weights and for eta. Raises whatever reading another file leads to."""
    if config.index_lists is None:
        return PERCENTS
    return tuple(float(read_json(resolve(path))["percent"]) for path in config.index_lists)


def size(config) -> int | None:
    """Pixels of a side, None where the data set has its own."""
    return config.image_size or (PIXELS[STREAMED] if config.dataset == STREAMED else None)


def places(config) -> dict[str, str | None]:
    """What the name of a run says of folder and lists."""
    folder, lists = config.data_folder, config.index_lists
    return {"folder": folder and _plain(PurePath(folder).name), "lists": lists and "-".join(_plain(PurePath(path).stem) for path in lists)}


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


def reductions(config) -> Iterator[str]:
    """Why a search of streamed images is less than the protocol's."""
    if config.dataset != STREAMED:
        return
    found = percents(config)
    if any(ours < full for ours, full in zip(found, PERCENTS)):
        shown = (" % and ".join(f"{percent:g}" for percent in pair) for pair in (found, PERCENTS))
        yield " % instead of ".join(shown) + " % of the images of each class"
    if size(config) < PIXELS[STREAMED]:
        yield f"images of {size(config)} instead of {PIXELS[STREAMED]} pixels"
