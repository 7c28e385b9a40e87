"""What the numbers of a run depend on, so that no other run's files are taken for its own; and, where two differ, in what. No torch."""

import json
from dataclasses import dataclass, field
from typing import Any

from drnas_lib.errors import shown

SAME_RUN = (  # settings that are equal or not without another result, or that follow from the others
    "stem", "folder", "reduced", "changed", "scale", "fingerprint", "device", "workers", "snapshots", "evaluate", "train_epochs",
    "random_cells", "train_seeds",
    "genotype", "cell_source", "published", "paper_rows",
)  # fmt: skip
OF_THE_SEARCH_BEHIND = ("space", "method")  # of a training; of a search they are its own
PLACES = ("data_folder", "index_lists", "index_list")  # of the images, which have a fingerprint of their own
WHAT_TO_DO = "Give this run another name with the parameter `name`, or replace the other one with rerun=True"


@dataclass(frozen=True)
class Identity:
    """`key` is equal for runs that must give the same numbers; `settings` and `images`, as a record has them, say the rest in words."""

    key: str
    settings: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Any, images: dict[str, Any], *more: object) -> "Identity":
        """`settings` are those of a search or a training, `more` is what else the result depends on."""
        key = "-".join(map(str, (settings.fingerprint, images["fingerprint"], *more)))
        told = {name: value for name, value in as_read(settings.as_dict()).items() if name not in SAME_RUN}
        return cls(key, told, {name: images[name] for name in ("name", "fingerprint", "source")})

    def made_of(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {"settings": self.settings, "images": self.images}

    def differs_from(self, was: dict[str, Any] | None) -> str:
        """In what another run, of which `was` is `made_of()`, is not this one. Files of before do not say what they are made of."""
        if not was:
            return "in what, its file does not say: it was written by an older version"
        found = [*settings_differ(was["settings"], self.settings), *images_differ(was["images"], self.images)]
        return "; ".join(found) or "in something that this version of the project does not know"


def as_read(values: dict[str, Any]) -> dict[str, Any]:
    """As they come back from JSON: with lists for tuples."""
    return json.loads(json.dumps(values))


def settings_differ(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """'lr was 0.025, is 0.1' for every setting; where there is none, those that only one of two versions of the project has."""
    one, other = _flat(was), _flat(as_read(now))
    if one.get("cell") != other.get("cell"):
        del one["cell_json"], other["cell_json"]
    differing = [f"{name} was {shown(one[name])}, is {shown(other[name])}" for name in other if name in one and one[name] != other[name]]
    added = [f"{name} is {shown(other[name])}, was unknown" for name in other if name not in one]
    removed = [f"{name} was {shown(one[name])}, is unknown" for name in one if name not in other]
    return differing or added + removed


def places_differ(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The same of where the images lie and which are listed."""
    one, other = ({name: values.get(name) for name in PLACES} for values in (was, as_read(now)))
    return [f"{name} was {one[name]!r}, is {other[name]!r}" for name in PLACES if one[name] != other[name]]


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """By the names of the parameters: those of a recipe beside the others, of the stages as lists."""
    flat, not_told = {}, SAME_RUN + (OF_THE_SEARCH_BEHIND if "cell_json" in settings else ())
    for name, value in settings.items():
        if name in not_told:
            continue
        if isinstance(value, dict) and name != "cell_json":
            flat |= value
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            flat |= {key: [stage.get(key) for stage in value] for key in value[0]}
        else:
            flat[name] = value
    return flat


def images_differ(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A sentence where the images of two runs are not the same, both `data` of a record."""
    if was.get("fingerprint") == now.get("fingerprint"):
        return []
    before, after = (images.get("source", "not described").rstrip(".") for images in (was, now))
    same = "but not the same ones: pixels, labels or files have changed"
    return [f"the images were and are {after}, {same}" if before == after else f"the images were {before}; they are {after}"]
