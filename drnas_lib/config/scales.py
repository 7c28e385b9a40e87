"""How large a run is: its scale `full`, `laptop` or `smoke`, and why it counts as reduced. No torch.

This file alone defines the scales, for every space and for trainings.

full    the published length; on embedded data and on a folder of one's own, the length that the project chose for them.
laptop  the paper's searches at a size that two CPU cores repeat with several seeds in an afternoon. Its results are judged by the
        paper's claims (claims.py) and never compared with its numbers.
smoke   every step in seconds, for tests.

All methods share one size, so that they are compared on equal terms. The rest follows the method's own protocol: each stage keeps its
share of the epochs, and eta's warm-up its share of the stage.
"""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from drnas_lib.config.image_rules import PIXELS, percents
from drnas_lib.config.presets import FAMILIES, PERCENTS, ROBUST_SPACES, STREAMED

SCALES = ("full", "laptop", "smoke")
FULL, LAPTOP, SMOKE = SCALES
IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "imagenet16-120": 151_700, "imagenet": 1_281_167}  # of the training set
DIGITS = 3  # of a scaled rate

IN_MEMORY = ("published", "own")  # families of data sets
BRIEFLY = dict(subset=128, batch_size=32, train_epochs=1, random_cells=2, train_seeds=1)
# (space, family of data sets) -> the settings that a scale changes; `epochs` are those of all stages. Absent: no such scale there.
SEARCHES: dict[str, dict[tuple[str, str], dict[str, int]]] = {
    LAPTOP: {
        ("nb201", "published"): dict(epochs=50, channels=8, cells=1, batch_size=64, subset=5000),
        ("darts", "published"): dict(epochs=20, channels=12, cells=5, batch_size=64, subset=2500),
        **{(space, "published"): dict(epochs=20, channels=8, cells=5, batch_size=64, subset=2500) for space in ROBUST_SPACES},
    },
    SMOKE: {
        **{("nb201", family): dict(epochs=2, channels=8, cells=1, **BRIEFLY) for family in IN_MEMORY},
        **{("darts", family): dict(epochs=2, channels=12, cells=3, **BRIEFLY) for family in IN_MEMORY},
        ("darts", "imagenet"): dict(epochs=2, channels=12, cells=3, batch_size=32),
        **{(space, family): dict(epochs=2, channels=8, cells=3, **BRIEFLY) for space in ROBUST_SPACES for family in IN_MEMORY},
    },
}
# (network, whether images are read as they are needed) -> the same; the networks are those of presets.MACROS.
TRAININGS: dict[str, dict[tuple[str, bool], dict[str, int]]] = {
    LAPTOP: {
        ("cifar", False): dict(epochs=20, channels=8, cells=8, subset=5000),
        ("nb201", False): dict(epochs=20, channels=8, cells=1, subset=5000),
    },
    SMOKE: {
        ("cifar", False): dict(epochs=2, channels=4, cells=3, batch_size=32, subset=128),
        ("nb201", False): dict(epochs=2, channels=4, cells=1, batch_size=32, subset=128),
        ("imagenet", True): dict(epochs=6, channels=4, cells=3, batch_size=32),
    },
}
# At the smoke scale: parameters that only some methods read.
SMOKE_OPTIONS = {"controller_updates": 1, "controller_samples": 4, "candidates": 8, "monitored": 2, "candidate_batch": 32}


def for_search(space: str, dataset: str) -> tuple[str, ...]:
    """The scales of a search of this space on these images."""
    return (FULL, *(scale for scale in SEARCHES if (space, FAMILIES[dataset]) in SEARCHES[scale]))


def for_training(network: str, dataset: str) -> tuple[str, ...]:
    """The scales of a training. There is no laptop scale for embedded data and one's own folder, which are small already."""
    found = (scale for scale in TRAININGS if (network, dataset == STREAMED) in TRAININGS[scale])
    return (FULL, *(scale for scale in found if scale != LAPTOP or FAMILIES[dataset] == "published"))


def search(scale: str, space: str, dataset: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a search at a scale; the scale is one of `for_search`.

    At the laptop scale the rate of eta grows so that rate x number of eta steps stays what the protocol has: Adam moves eta by about its
    rate in each step, so with fewer steps at the same rate the Dirichlet would stay flat. Steps: (images / 2 / batch size) x (epochs -
    warm-up), summed over the stages. DrNAS, released protocol, CIFAR-10: 3e-4 x 100 x 390 = 6e-3 x 50 x 39. The rate of ENAS' controller
    follows the same rule: it takes a fixed number of steps per epoch.
    """
    if scale == FULL:
        return settings
    size, full_epochs, total = SEARCHES[scale][space, FAMILIES[dataset]], settings["epochs"], sum(settings["epochs"])
    epochs = shared(size["epochs"], full_epochs)
    warmup = [min(now - 1, round(rest * now / before)) for rest, before, now in zip(settings["arch_warmup"], full_epochs, epochs)]
    lr_warmup = round(settings["lr_warmup"] * size["epochs"] / total)
    scaled = settings | size | {"epochs": epochs, "arch_warmup": warmup, "lr_warmup": lr_warmup}
    if scale == SMOKE:
        return scaled | {name: value for name, value in SMOKE_OPTIONS.items() if name in settings}
    steps, scaled_steps = _eta_steps(settings, IMAGES[dataset]), _eta_steps(scaled, scaled["subset"])
    scaled["arch_lr"] = _same_distance(settings["arch_lr"], steps, scaled_steps)
    if "controller_lr" in settings:
        scaled["controller_lr"] = _same_distance(settings["controller_lr"], total, sum(epochs))
    return scaled


def training(scale: str, network: str, dataset: str, values: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training at a scale; the scale is one of `for_training`."""
    if scale == FULL:
        return values
    size = TRAININGS[scale][network, dataset == STREAMED]
    return values | size | {"warmup_epochs": round(values["warmup_epochs"] * size["epochs"] / values["epochs"])}


def search_reductions(values: dict[str, Any], full: dict[str, Any], cells: str) -> Iterator[str]:
    """The reasons why a search with these settings is smaller than the protocol's; `cells` says which of its cells are counted."""
    yield from _fewer(sum(values["epochs"]), sum(full["epochs"]), "epochs")
    yield from _subset(values["subset"])
    yield from _fewer(values["cells"], full["cells"], cells)
    yield from _fewer(values["channels"], full["channels"], "channels")


def streamed_reductions(index_lists: list[str] | None, pixels: int) -> Iterator[str]:
    """The reasons why a search of streamed images, `pixels` a side, is smaller than the protocol's."""
    found = percents(index_lists)
    if any(ours < full for ours, full in zip(found, PERCENTS)):
        shown = (" % and ".join(f"{percent:g}" for percent in pair) for pair in (found, PERCENTS))
        yield " % instead of ".join(shown) + " % of the images of each class"
    yield from _smaller_images(pixels, STREAMED)


def training_reductions(values: dict[str, Any], full: dict[str, Any], index_list: str | None, pixels: int, dataset: str) -> Iterator[str]:
    """The reasons why a training with these settings, on images of `pixels` a side, is smaller than the recipe's."""
    yield from _fewer(values["epochs"], full["epochs"], "epochs")
    yield from _subset(values["subset"])
    if index_list is not None:
        yield f"the training images of {PurePath(index_list).name} instead of all"
    yield from _fewer(values["channels"], full["channels"], "channels")
    yield from _fewer(values["cells"], full["cells"], "cells")
    yield from _smaller_images(pixels, dataset)


def _fewer(value: int, usual: int, what: str) -> Iterator[str]:
    if value < usual:
        yield f"{value} instead of {usual} {what}"


def _subset(images: int | None) -> Iterator[str]:
    if images is not None:
        yield f"{images} training images instead of all"


def _smaller_images(pixels: int, dataset: str) -> Iterator[str]:
    if pixels < PIXELS[dataset]:
        yield f"images of {pixels} instead of {PIXELS[dataset]} pixels"


def shared(total: int, epochs: list[int]) -> list[int]:
    """`total` epochs divided among the stages in proportion to `epochs`, at least one each."""
    return [max(1, round(total * stage / sum(epochs))) for stage in epochs]


def _eta_steps(settings: dict[str, Any], images: int) -> int:
    epochs = sum(epochs - warmup for epochs, warmup in zip(settings["epochs"], settings["arch_warmup"]))
    return images // 2 // settings["batch_size"] * epochs


def _same_distance(rate: float, before: int, now: int) -> float:
    return float(f"{rate * before / now:.{DIGITS}g}")
