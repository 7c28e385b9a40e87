"""The complete settings of a search, as config/search.py works them out from the parameters."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class StageSettings:
    """`epochs` with 1/`k` of the channels mixed and `keep` operations on every edge; eta rests for the first `arch_warmup` epochs."""

    epochs: int
    k: int
    keep: int
    arch_warmup: int


@dataclass(frozen=True)
class SearchSettings:
    """Every value that a search needs, and where it is kept."""

    space: str
    dataset: str
    method: str
    protocol: str
    seed: int
    device: str
    stages: tuple[StageSettings, ...]
    batch_size: int
    macro: str
    channels: int
    cells: int
    subset: int | None
    weight_lr: float
    weight_lr_min: float
    lr_warmup: int
    lr_half_period: int | None
    momentum: float
    nesterov: bool
    weight_decay: float
    grad_clip: float
    label_smoothing: float
    lr_after_widening: str
    arch_lr: float
    arch_grad_clip: float | None
    eta_mean: float  # eta starts at N(eta_mean, eta_std²)
    eta_std: float
    lam: float
    regulariser: str
    step: str
    bilevel: str
    drop_path: float
    cutout: int
    derive: str
    split: str
    options: dict  # parameters that only this method reads
    precision: str
    evaluate: str
    train_epochs: int | None  # None where nothing is trained after the search, as of the last two
    image_size: int | None
    data_folder: str | None
    index_lists: list[str] | None
    workers: int
    stem: str
    folder: str  # of the run, relative to the project
    reduced: tuple[str, ...]  # why this is less than the protocol's run; empty when it is not
    fingerprint: str  # of everything that the result depends on
    scale: str = "full"  # of which these are the settings, but for what `changed` names
    changed: tuple[str, ...] = ()
    arch_betas: tuple[float, float] = (0.5, 0.999)  # Adam for eta, in the code
    snapshots: int = 0  # keep the supernet every so many epochs, for the studies; 0: never
    random_cells: int | None = None
    train_seeds: int | None = None

    def as_dict(self) -> dict:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """What `as_dict` gave, read back from a record. Raises TypeError where a setting is missing or unknown."""
        return cls(**values | {"stages": tuple(StageSettings(**stage) for stage in values["stages"])})


def reductions(lists: dict, values: dict, stages: Any, rest: dict, cells: int) -> Iterator[str]:
    """Why a search is less than its protocol's, a reason each."""
    if sum(lists["epochs"]) < sum(stages.epochs):
        yield f"{sum(lists['epochs'])} instead of {sum(stages.epochs)} epochs"
    if values["subset"] is not None:
        yield f"{values['subset']} training images instead of all"
    for name, label in (("cells", cells), ("channels", "channels")):
        if values[name] < rest[name]:
            yield f"{values[name]} instead of {rest[name]} {label}"
