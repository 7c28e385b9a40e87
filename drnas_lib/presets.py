"""What each protocol sets where the caller says nothing: (family of data sets, protocol, progressive) -> settings.

`paper` follows the text, `released` the authors' code, wherever the two disagree; where the text is silent, `paper` uses the code's value.
"""

from dataclasses import dataclass

FAMILIES = {"cifar10": "nb201", "cifar100": "nb201", "imagenet16-120": "nb201", "digits": "own", "folder": "own"}

COMMON = {
    "batch_size": 64,
    "channels": 16,
    "cells": 5,  # per stage of the skeleton: 15 cells in all
    "subset": None,
    "weight_lr": 0.025,
    "weight_lr_min": 0.001,
    "momentum": 0.9,
    "weight_decay": 3e-4,
    "grad_clip": 5.0,
    "arch_lr": 3e-4,
    "lam": 1e-3,  # section 4.1
    "bilevel": "first",  # the text describes one unrolled step; the code, and so every published number, is first order
    "evaluate": "table",
    "train_epochs": 200,
}
OWN = {"cells": 1, "arch_lr": 3e-3, "evaluate": "train", "train_epochs": 20}  # small data: a short search needs a quicker eta

RELEASED = {"regulariser": "adam_decay", "lr_after_widening": "restart_epoch"}
PAPER = {"regulariser": "penalty", "lr_after_widening": "continued"}


@dataclass(frozen=True)
class Stages:
    """The four lists that have one entry per stage."""

    epochs: list[int]
    k: list[int]
    keep: list[int]
    arch_warmup: list[int]


STAGES: dict[tuple[str, str, bool], Stages] = {
    # Table 4 came from the code's plain script: 100 epochs, all channels, eta free from the start.
    ("nb201", "released", False): Stages([100], [1], [5], [0]),
    # The code's progressive script.
    ("nb201", "released", True): Stages([50, 50], [4, 2], [5, 3], [10, 10]),
    # Section 4.1: two stages of 25 epochs, halving operations and K; Table 1's 949 MB is the memory of K = 8.
    ("nb201", "paper", True): Stages([25, 25], [8, 4], [5, 3], [10, 10]),
    ("nb201", "paper", False): Stages([50], [1], [5], [0]),
    ("own", "released", False): Stages([40], [1], [5], [0]),
    ("own", "released", True): Stages([20, 20], [4, 2], [5, 3], [4, 4]),
    ("own", "paper", True): Stages([20, 20], [8, 4], [5, 3], [4, 4]),
    ("own", "paper", False): Stages([40], [1], [5], [0]),
}
PROGRESSIVE_BY_DEFAULT = {"paper": True, "released": False}


def preset(dataset: str, protocol: str, progressive: bool) -> tuple[Stages, dict]:
    """Stage lists and all other settings."""
    family = FAMILIES[dataset]
    rest = COMMON | {"released": RELEASED, "paper": PAPER}[protocol] | (OWN if family == "own" else {})
    return STAGES[family, protocol, progressive], rest
