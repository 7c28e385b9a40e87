"""The type of the complete settings of a search, as its record holds them; config/search.py makes them."""

from dataclasses import dataclass
from typing import Self

from drnas_lib.config.run_parameters import RunSettings


@dataclass(frozen=True)
class StageSettings:
    """`epochs` with 1/`k` of the channels mixed and `keep` operations on every edge; eta rests for the first `arch_warmup` epochs."""

    epochs: int
    k: int
    keep: int
    arch_warmup: int


@dataclass(frozen=True, kw_only=True)
class SearchSettings(RunSettings):
    """Every value that a search needs, and the folder of the run."""

    stages: tuple[StageSettings, ...]
    batch_size: int
    weight_lr: float
    weight_lr_min: float
    lr_warmup: int
    lr_half_period: int | None
    lr_after_widening: str
    momentum: float
    nesterov: bool
    weight_decay: float
    grad_clip: float
    label_smoothing: float
    drop_path: float
    cutout: int
    arch_lr: float
    arch_betas: tuple[float, float] = (0.5, 0.999)  # Adam for eta, in the code
    arch_grad_clip: float | None
    eta_mean: float  # eta starts at N(eta_mean, eta_std²)
    eta_std: float
    lam: float
    regulariser: str
    step: str
    bilevel: str
    derive: str
    split: str
    options: dict  # parameters that only this method reads
    image_size: int | None
    index_lists: list[str] | None
    snapshots: int = 0  # epochs between snapshots of the supernet, for the studies; 0: none
    evaluate: str
    train_epochs: int | None  # None if nothing is trained after the search, like random_cells and train_seeds
    random_cells: int | None = None
    train_seeds: int | None = None

    @classmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of `as_dict`, for settings from a record. Raises TypeError if a setting is missing or unknown."""
        return cls(**values | {"stages": tuple(StageSettings(**stage) for stage in values["stages"])})
