"""How the files of a run name it, and how two runs differ, in words. config/search.py and retrain.py say what makes another run."""

import json
from dataclasses import dataclass, field
from typing import Any

from drnas_lib.errors import short_repr

LEFT_OUT = (  # of the words: settings that do not change the result, or that follow from others
    "stem", "folder", "reduced", "changed", "scale", "fingerprint", "device", "workers", "snapshots", "evaluate", "train_epochs",
    "random_cells", "train_seeds",
    "genotype", "cell_source", "published", "paper_rows",
)  # fmt: skip
OF_SOURCE_SEARCH = ("space", "method")  # in the settings of a training they describe the search that found the cell
PLACES = ("data_folder", "index_lists", "index_list")  # of the images, which have a fingerprint of their own
WHAT_TO_DO = "Give this run another name with the parameter `name`, or replace the other one with rerun=True"


@dataclass(frozen=True)
class Identity:
    """`key` is equal for runs that must give the same numbers; `settings` and `images`, as a record has them, explain a difference."""

    key: str
    settings: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Any, images: dict[str, Any], *more: object) -> "Identity":
        """`settings` are those of a search or a training; the result depends on `more` as well."""
        key = "-".join(map(str, (settings.fingerprint, images["fingerprint"], *more)))
        compared = {name: value for name, value in as_read(settings.as_dict()).items() if name not in LEFT_OUT}
        return cls(key, compared, {name: images[name] for name in ("name", "fingerprint", "source")})

    def head(self) -> dict[str, Any]:
        """How a checkpoint or a snapshot names its run."""
        return {"fingerprint": self.key, "made_of": {"settings": self.settings, "images": self.images}}

    def differs_from(self, made_of: dict[str, Any]) -> str:
        """How the run of a file with this `made_of` differs from this run."""
        found = [*settings_differences(made_of["settings"], self.settings), *image_differences(made_of["images"], self.images)]
        return "; ".join(found) or "in a setting that this version of the project lacks"


def as_read(values: dict[str, Any]) -> dict[str, Any]:
    """As they come back from JSON: with lists for tuples."""
    return json.loads(json.dumps(values))


def settings_differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """'lr was 0.025, is 0.1' for every changed setting; if none changed, the settings that only one of the two has."""
    one, other = _flat(was), _flat(as_read(now))
    if one.get("cell") != other.get("cell"):
        del one["cell_json"], other["cell_json"]
    differing = [
        f"{name} was {short_repr(one[name])}, is {short_repr(other[name])}" for name in other if name in one and one[name] != other[name]
    ]
    added = [f"{name} is {short_repr(other[name])}, was unknown" for name in other if name not in one]
    removed = [f"{name} was {short_repr(one[name])}, is unknown" for name in one if name not in other]
    return differing or added + removed


def places_differ(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The same for the folder of the images and the lists of them."""
    return [f"{name} was {was.get(name)!r}, is {now.get(name)!r}" for name in PLACES if was.get(name) != now.get(name)]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by parameter name: those of a recipe beside the others, those of the stages as lists."""
    flat: dict[str, Any] = {}
    names = LEFT_OUT + (OF_SOURCE_SEARCH if "cell_json" in settings else ())
    for name, value in settings.items():
        if name in names:
            continue
        if isinstance(value, dict) and name != "cell_json":
            flat |= value
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            flat |= {key: [stage.get(key) for stage in value] for key in value[0]}
        else:
            flat[name] = value
    return flat


def image_differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One sentence if the images of two runs differ; `was` and `now` are the `data` of their records."""
    if was.get("fingerprint") == now.get("fingerprint"):
        return []
    before, after = (images.get("source", "not described").rstrip(".") for images in (was, now))
    same = "but not the same ones: pixels, labels or files have changed"
    return [f"the images were and are {after}, {same}" if before == after else f"the images were {before}; they are {after}"]
