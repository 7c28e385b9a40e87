"""The default settings of a search, such as learning rates and batch size: (space, data, protocol, progressive) -> settings.

`paper` follows the text, `released` the authors' code, wherever the two disagree; where the text is silent, `paper` uses the code's value.
Where neither text nor code of DrNAS gives a value, the comment says whose it is.
"""

from dataclasses import dataclass
from typing import Any

STREAMED = "imagenet"  # read from files as they are needed; the other data sets fit into memory
PERCENTS = (10.0, 2.5)  # of ImageNet's images of each class, for the weights and for eta (section 4.2)
# Data sets of the paper's searches, and data of one's own.
FAMILIES = {"cluttered_digits": "own", "digits": "own", "cifar10": "published", "cifar100": "published", "imagenet16-120": "published"}
FAMILIES |= {"folder": "own", STREAMED: "imagenet"}
READ_FROM_FOLDERS = ("folder", STREAMED)  # which may change after a run
ROBUST_SPACES = {"s1": 2, "s2": 2, "s3": 3, "s4": 2}  # operations on every edge; a new space of DARTS cells is a row here


@dataclass(frozen=True)
class Macro:
    """A published network around cells: its size, and what it needs."""

    cells: int  # nb201: in each of its three stages
    channels: int
    fewest_cells: int
    image_size: int
    shrinks: int  # pixels of the image per pixel of the last features


MACROS = {"nb201": Macro(5, 16, 1, 32, 4), "cifar": Macro(20, 36, 3, 32, 4), "imagenet": Macro(14, 48, 3, 224, 32)}
NB201 = {  # both scripts of the code's 201-space, except where a comment says otherwise
    "batch_size": 64,
    "macro": "cifar",
    "channels": 16,
    "cells": 5,  # per stage of the skeleton: 15 cells in all
    "subset": None,
    "weight_lr": 0.025,
    "weight_lr_min": 0.001,
    "lr_warmup": 0,
    "lr_half_period": None,  # epochs from the first to the last rate; None: all of them
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 3e-4,
    "grad_clip": 5.0,
    "label_smoothing": 0.0,
    "arch_lr": 3e-4,
    "arch_grad_clip": None,  # largest norm of eta's gradient; None: not clipped
    "eta_mean": 0.0,  # of eta at the start
    "eta_std": 1e-3,
    "lam": 1e-3,  # the text, section 4.1
    "step": "arch_first",
    "split": "halves",
    "bilevel": "first",  # the text describes one unrolled step; the code, and so every published number, is first order
    "drop_path": 0.0,
    "cutout": 0,
    "precision": "float32",  # neither text nor code says; lower precision is only for comparisons
    "evaluate": "table",
    "train_epochs": 200,  # the benchmark's own schedule
    "random_cells": 8,  # trained beside the found cell
    "train_seeds": 3,  # of each training
}
# The code's DARTS-space script on CIFAR-10; `cells` are those of the whole network, two of them reduction cells. The published way to
# judge a found cell is to train it for 600 epochs: notebooks/retrain.ipynb.
DARTS = NB201 | dict(channels=36, cells=20, weight_lr=0.1, weight_lr_min=0.0, arch_lr=6e-4, evaluate="none", train_epochs=5)
PROXY = {"channels": 16, "cells": 8}  # the text's ablation without progressive learning; its K, batch and rates are the script's
# The code's ImageNet script; its rate climbs for five epochs, and it clips the gradient of eta too.
IMAGENET = DARTS | dict(macro="imagenet", channels=48, cells=14, batch_size=512, weight_lr=0.5, lr_warmup=5)
IMAGENET |= dict(arch_lr=6e-3, arch_grad_clip=5.0)
# S1 to S4: Zela et al.'s search. DrNAS has published no settings for these spaces.
ROBUST = DARTS | PROXY | dict(weight_lr=0.025, weight_lr_min=0.001, arch_lr=3e-4)
# Small data ("own"): a short search needs a larger learning rate of eta. Chosen here; nothing is published.
DARTS_OWN = DARTS | dict(channels=12, cells=3, weight_lr=0.025, weight_lr_min=0.001, arch_lr=1e-2, evaluate="train")
SETTINGS: dict[tuple[str, str], dict] = {
    ("nb201", "published"): NB201,
    ("nb201", "own"): NB201 | dict(cells=1, arch_lr=1e-2, evaluate="train", train_epochs=5),
    ("darts", "published"): DARTS,
    ("darts", "imagenet"): IMAGENET,
    ("darts", "own"): DARTS_OWN,
    **{(space, "published"): ROBUST for space in ROBUST_SPACES},
    **{(space, "own"): DARTS_OWN | {"channels": 8} for space in ROBUST_SPACES},
}
WITHOUT_STAGES = {("darts", "published"): PROXY, ("darts", "imagenet"): PROXY}  # differences where a search is not progressive
# `make search` takes two minutes on two cores: half the epochs, and these settings. results/main_job has the study behind them.
MAIN_JOB = ("nb201", "cluttered_digits")
OF_MAIN_JOB = {"channels": 8, "train_epochs": 3}
DISAGREEMENTS = {
    # Adam's weight decay on eta; after widening, the code's new optimiser starts again from the first learning rate.
    "released": {"regulariser": "adam_decay", "lr_after_widening": "restart_epoch"},
    # The text's distance of eta to 0 as a term of the loss; it mentions no jump in the learning rate.
    "paper": {"regulariser": "penalty", "lr_after_widening": "continued"},
}
# In the DARTS space the code derives by softmax(eta), the text by the Dirichlet mean: the same operation on an edge, but not always the
# same edges. On NAS-Bench-201 both rules derive the same cell.
DERIVE = {"released": "softmax", "paper": "mean"}

STAGE_LISTS = ("epochs", "k", "keep", "arch_warmup")  # each has one entry per stage
# (space, protocol, progressive) -> these lists, of a search on the paper's data sets.
STAGES: dict[tuple[str, str, bool], tuple[list[int], ...]] = {
    # Table 4 came from the code's plain script: 100 epochs, all channels, eta free from the start.
    ("nb201", "released", False): ([100], [1], [5], [0]),
    # The code's progressive script.
    ("nb201", "released", True): ([50, 50], [4, 2], [5, 3], [10, 10]),
    # Section 4.1: two stages of 25 epochs, halving operations and K; Table 1's 949 MB is the memory of K = 8. Its warm-up is the code's.
    ("nb201", "paper", True): ([25, 25], [8, 4], [5, 3], [10, 10]),
    # The same epochs without stages: the text has no such run on this space.
    ("nb201", "paper", False): ([50], [1], [5], [0]),
    # The code's script: 'none' is not among the candidates, and the second stage widens by half; on ImageNet it widens to K_ON_IMAGENET.
    ("darts", "released", True): ([25, 25], [6, 4], [7, 4], [10, 10]),
    # Section 4.2: 8 operations to 4, K from 6 to 3. Its warm-up is the code's.
    ("darts", "paper", True): ([25, 25], [6, 3], [8, 4], [10, 10]),
    ("darts", "released", False): ([50], [1], [7], [10]),
    ("darts", "paper", False): ([50], [1], [8], [10]),
    **{(s, protocol, False): ([50], [1], [n], [0]) for s, n in ROBUST_SPACES.items() for protocol in DISAGREEMENTS},
}
K_ON_IMAGENET = [6, 3]
OWN_EPOCHS, OWN_WARMUP = dict.fromkeys(ROBUST_SPACES, 20) | {"nb201": 40, "darts": 40}, 4  # on data of one's own: short, chosen here


def usually_progressive(space: str, protocol: str) -> bool:
    """Always in the DARTS space, never in S1 to S4, which have nothing to prune; else as in the text, while the code's Table 4 had none."""
    return space == "darts" or (space == "nb201" and protocol == "paper")


def searched(space: str, dataset: str) -> bool:
    """Whether there are settings for a search of this space on these images."""
    return (space, FAMILIES[dataset]) in SETTINGS


def preset(space: str, dataset: str, protocol: str, progressive: bool) -> dict[str, Any]:
    """The protocol's stage lists and all other settings."""
    family = FAMILIES[dataset]
    stages = dict(zip(STAGE_LISTS, STAGES.get((space, protocol, progressive)) or STAGES[space, protocol, False]))
    settings = stages | SETTINGS[space, family] | DISAGREEMENTS[protocol]
    if family == "own":
        many = len(stages["epochs"])
        settings |= {"epochs": [OWN_EPOCHS[space] // many] * many, "arch_warmup": [min(rest, OWN_WARMUP) for rest in stages["arch_warmup"]]}
    elif family == "imagenet" and progressive:
        settings |= {"k": K_ON_IMAGENET}
    if (space, dataset) == MAIN_JOB:
        settings |= OF_MAIN_JOB | {name: [epochs // 2 for epochs in settings[name]] for name in ("epochs", "arch_warmup")}
    settings |= {"derive": "mean" if space == "nb201" else DERIVE[protocol]}
    return settings if progressive else settings | WITHOUT_STAGES.get((space, family), {})
