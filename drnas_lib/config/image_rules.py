"""What images allow: their sizes, the largest hole of cutout, and the lists that a search of streamed images reads. No torch."""

from collections.abc import Iterator
from math import isqrt
from typing import Annotated, Any

from drnas_lib.config.parameters import Kind, entries_of
from drnas_lib.config.presets import PERCENTS, STREAMED
from drnas_lib.runs.files import RecordError, read_json, resolve

PIXELS = {  # a side
    "cluttered_digits": 16, "digits": 8, "cifar10": 32, "cifar100": 32, "imagenet16-120": 16,
    "folder": 32, "imagenet": 224,  # by default
}  # fmt: skip
HOLE_PIXELS = 32  # a side: the image size of the recipes' holes
INDEX_LIST_COMMAND = "python -m drnas_lib.data.index_lists"


def largest_hole(size: int) -> int:
    """The side, an even number, of the largest hole that leaves at least half of an image of `size` pixels a side."""
    return isqrt(size * size // 2) // 2 * 2


def scaled_hole(side: int, size: int) -> int:
    """The side of a recipe's hole in an image of `size` pixels a side: the same fraction of the side, rounded down to an even number."""
    return side * size // (2 * HOLE_PIXELS) * 2


def _two_files(value: Any) -> list[str]:
    entries = entries_of(value)
    if len(entries) != 2 or not all(isinstance(entry, str) and entry for entry in entries):
        made = f"two files that `{INDEX_LIST_COMMAND}` made, for the weights and for eta"
        raise ValueError(f"allowed are {made}, such as ten.json,little.json.")
    return entries


IndexLists = Annotated[list[str], Kind(_two_files, (["a.json", "b.json"],), ("a.json", [], ["a.json", ""]))]


def streamed_problems(index_lists: list[str] | None, values: dict[str, Any]) -> Iterator[str]:
    """A sentence for each value that a search of streamed images cannot have."""
    of_data = f"with dataset={STREAMED!r}"
    if values["split"] != "halves":
        yield f"split={values['split']!r} {of_data}: index_lists say which images move eta. Allowed is halves."
    if values["evaluate"] == "train":
        yield f"evaluate='train' {of_data}: the cell is trained by notebooks/retrain.ipynb, -p genotype FOLDER_OF_THE_SEARCH."
    try:
        percents(index_lists)
    except (RecordError, KeyError, TypeError, ValueError) as error:
        yield f"index_lists={index_lists}: these are not two index lists ({error}). Make them with {INDEX_LIST_COMMAND}."


def percents(index_lists: list[str] | None) -> tuple[float, ...]:
    """The percentages of each class's images for the weights and for eta."""
    if index_lists is None:
        return PERCENTS
    return tuple(float(read_json(resolve(path))["percent"]) for path in index_lists)
