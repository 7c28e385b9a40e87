"""The complete settings of a search, made by config/search.py, and the reasons for which a run counts as reduced."""

from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True)
class StageSettings:
    """`epochs` with 1/`k` of the channels mixed and `keep` operations on every edge; eta rests for the first `arch_warmup` epochs."""

    epochs: int
    k: int
    keep: int
    arch_warmup: int


@dataclass(frozen=True)
class SearchSettings:
    """Every value that a search needs, and the folder of the run."""

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
    train_epochs: int | None  # None if nothing is trained after the search, like random_cells and train_seeds
    image_size: int | None
    data_folder: str | None
    index_lists: list[str] | None
    workers: int
    stem: str
    folder: str  # of the run, relative to the project
    reduced: tuple[str, ...]  # reasons why the run is smaller than the protocol's; empty for a full one
    fingerprint: str  # a hash of everything that the result depends on
    scale: str = "full"  # which decides the settings, except those in `changed`
    changed: tuple[str, ...] = ()
    arch_betas: tuple[float, float] = (0.5, 0.999)  # Adam for eta, in the code
    snapshots: int = 0  # epochs between snapshots of the supernet, for the studies; 0: none
    random_cells: int | None = None
    train_seeds: int | None = None

    def as_dict(self) -> dict:
        """A dict of plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of `as_dict`, for settings from a record. Raises TypeError if a setting is missing or unknown."""
        return cls(**values | {"stages": tuple(StageSettings(**stage) for stage in values["stages"])})
