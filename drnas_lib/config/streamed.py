"""Rules for searches of ImageNet, whose images are streamed from files: which index lists they use, and how many images these name."""

from collections.abc import Iterator
from typing import Annotated, Any

from drnas_lib.config.parameters import Kind, entries_of
from drnas_lib.config.presets import PERCENTS, STREAMED
from drnas_lib.config.run_parameters import INDEX_LIST_COMMAND
from drnas_lib.config.space_rules import PIXELS
from drnas_lib.runs.records import RecordError, read_json, resolve


def _two_files(value: Any) -> list[str]:
    entries = entries_of(value)
    if len(entries) != 2 or not all(isinstance(entry, str) and entry for entry in entries):
        made = f"two files that `{INDEX_LIST_COMMAND}` made, for the weights and for eta"
        raise ValueError(f"allowed are {made}, such as ten.json,little.json.")
    return entries


IndexLists = Annotated[list[str], Kind(_two_files, (["a.json", "b.json"],), ("a.json", [], ["a.json", ""]))]


def problems(index_lists: list[str] | None, values: dict[str, Any]) -> Iterator[str]:
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
    """The percentages of each class's images for the weights and for eta. Raises RecordError, KeyError, TypeError or ValueError for a
    file that is no index list.
    """
    if index_lists is None:
        return PERCENTS
    return tuple(float(read_json(resolve(path))["percent"]) for path in index_lists)


def reductions(index_lists: list[str] | None, size: int) -> Iterator[str]:
    """The reasons why a search of streamed images, `size` pixels a side, is smaller than the protocol's."""
    found = percents(index_lists)
    if any(ours < full for ours, full in zip(found, PERCENTS)):
        shown = (" % and ".join(f"{percent:g}" for percent in pair) for pair in (found, PERCENTS))
        yield " % instead of ".join(shown) + " % of the images of each class"
    if size < PIXELS[STREAMED]:
        yield f"images of {size} instead of {PIXELS[STREAMED]} pixels"
