"""How large a run is: `full`, `laptop` or `smoke`. This file alone says what a scale is, for every space and for trainings. No torch.

full    the published length; on embedded data and on a folder of one's own, the length that the project chose for them.
laptop  the paper's searches at a size that two CPU cores repeat with several seeds in an afternoon. Its results are judged by the
        paper's claims (claims.py) and never stand beside its numbers.
smoke   every step in seconds, for tests.

All methods share one size, so that they are compared on equal terms. Their own protocols decide the rest: the epochs are shared out
over the stages, and eta rests, in the protocol's proportions.
"""

from dataclasses import dataclass
from typing import Any

from drnas_lib.config.presets import FAMILIES, ROBUST_SPACES, STREAMED

SCALES = ("full", "laptop", "smoke")
FULL, LAPTOP, SMOKE = SCALES
IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "imagenet16-120": 151_700, "imagenet": 1_281_167}  # of the training set
DIGITS = 3  # of a scaled rate


@dataclass(frozen=True)
class Size:
    """What a scale sets of a search, or of the training of a single cell; None: as the protocol has it."""

    epochs: int  # of all stages together
    channels: int
    cells: int
    batch_size: int | None = None
    subset: int | None = None
    train_epochs: int | None = None  # of the cells that are trained after a search; how many random ones, and seeds of each
    random_cells: int | None = None
    train_seeds: int | None = None

    def changes(self) -> dict[str, Any]:
        """The settings that this size changes."""
        return {name: value for name, value in vars(self).items() if value is not None}


BRIEFLY = dict(subset=128, batch_size=32, train_epochs=1, random_cells=2, train_seeds=1)
# (space, family of data sets) -> size. Absent: this scale does not exist there.
SEARCHES: dict[str, dict[tuple[str, str], Size]] = {
    LAPTOP: {
        ("nb201", "published"): Size(epochs=50, channels=8, cells=1, batch_size=64, subset=5000),
        ("darts", "published"): Size(epochs=20, channels=12, cells=5, batch_size=64, subset=2500),
        **{(space, "published"): Size(epochs=20, channels=8, cells=5, batch_size=64, subset=2500) for space in ROBUST_SPACES},
    },
    SMOKE: {
        **{("nb201", family): Size(epochs=2, channels=8, cells=1, **BRIEFLY) for family in ("published", "own")},
        **{("darts", family): Size(epochs=2, channels=12, cells=3, **BRIEFLY) for family in ("published", "own")},
        ("darts", "imagenet"): Size(epochs=2, channels=12, cells=3, batch_size=32),
        **{(space, family): Size(epochs=2, channels=8, cells=3, **BRIEFLY) for space in ROBUST_SPACES for family in ("published", "own")},
    },
}
# (network, whether images are read as they are needed) -> size; the networks are those of retrain.MACROS.
TRAININGS: dict[str, dict[tuple[str, bool], Size]] = {
    LAPTOP: {
        ("cifar", False): Size(epochs=20, channels=8, cells=8, subset=5000),
        ("nb201", False): Size(epochs=20, channels=8, cells=1, subset=5000),
    },
    SMOKE: {
        ("cifar", False): Size(epochs=2, channels=4, cells=3, batch_size=32, subset=128),
        ("nb201", False): Size(epochs=2, channels=4, cells=1, batch_size=32, subset=128),
        ("imagenet", True): Size(epochs=6, channels=4, cells=3, batch_size=32),
    },
}
# Parameters that only some methods read, and that would make a smoke run long.
FEWER = {"controller_updates": 1, "controller_samples": 4, "candidates": 8, "monitored": 2, "candidate_batch": 32}


def for_search(space: str, dataset: str) -> tuple[str, ...]:
    """The scales of a search of this space on these images."""
    return (FULL, *(scale for scale in SEARCHES if (space, FAMILIES[dataset]) in SEARCHES[scale]))


def for_training(network: str, dataset: str) -> tuple[str, ...]:
    """The scales of a training. Embedded data and one's own folder are as small as they are, so they have no laptop scale."""
    found = (scale for scale in TRAININGS if (network, dataset == STREAMED) in TRAININGS[scale])
    return (FULL, *(scale for scale in found if scale != LAPTOP or FAMILIES[dataset] == "published"))


def search(scale: str, space: str, dataset: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a search at a scale; the scale is one of `for_search`.

    At the laptop scale the learning rate of eta grows so that rate x number of eta steps stays what the protocol has at full length.
    Adam moves eta by about its rate in each step, whatever the size of the gradient, so that product is how far eta can move, and with
    fewer steps at the same rate the Dirichlet would stay flat. The number of steps is (images / 2 / batch size) x (epochs - warm-up),
    summed over the stages, of the protocol and of the scale. DrNAS, released protocol, CIFAR-10: 3e-4 x 100 x 390 = 6e-3 x 50 x 39.
    The rate is rounded to three digits. The rate of ENAS' controller follows the same rule: it takes a fixed number of steps per epoch.
    """
    if scale == FULL:
        return settings
    size, full_epochs, total = SEARCHES[scale][space, FAMILIES[dataset]], settings["epochs"], sum(settings["epochs"])
    epochs = shared(size.epochs, full_epochs)
    warmup = [min(now - 1, round(rest * now / before)) for rest, before, now in zip(settings["arch_warmup"], full_epochs, epochs)]
    scaled = settings | size.changes()
    scaled |= {"epochs": epochs, "arch_warmup": warmup, "lr_warmup": round(settings["lr_warmup"] * size.epochs / total)}
    if scale == SMOKE:
        return scaled | {name: value for name, value in FEWER.items() if name in settings}
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
    return values | size.changes() | {"warmup_epochs": round(values["warmup_epochs"] * size.epochs / values["epochs"])}


def shared(total: int, epochs: list[int]) -> list[int]:
    """`total` epochs shared out over the stages in proportion to `epochs`, one each at least."""
    return [max(1, round(total * stage / sum(epochs))) for stage in epochs]


def _eta_steps(settings: dict[str, Any], images: int) -> int:
    epochs = sum(epochs - warmup for epochs, warmup in zip(settings["epochs"], settings["arch_warmup"]))
    return images // 2 // settings["batch_size"] * epochs


def _same_distance(rate: float, before: int, now: int) -> float:
    return float(f"{rate * before / now:.{DIGITS}g}")
