"""Settings of searches in the DARTS space and in S1 to S4, in the form of presets.py: the published ones, or what says otherwise.

Where neither text nor code of DrNAS gives a value, the comment says whose it is.
"""

SEARCH = {  # the code's DARTS-space script on CIFAR-10
    "batch_size": 64,
    "macro": "cifar",
    "channels": 36,
    "cells": 20,  # in all, two of them reduction cells
    "subset": None,
    "weight_lr": 0.1,
    "weight_lr_min": 0.0,
    "lr_warmup": 0,
    "lr_half_period": None,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 3e-4,
    "grad_clip": 5.0,
    "label_smoothing": 0.0,
    "arch_lr": 6e-4,
    "arch_grad_clip": None,
    "eta_mean": 0.0,
    "eta_std": 1e-3,
    "lam": 1e-3,
    "step": "arch_first",
    "split": "halves",
    "bilevel": "first",
    "drop_path": 0.0,
    "cutout": 0,
    "precision": "float32",
    "evaluate": "none",  # the published way is to train the cell for 600 epochs: notebooks/retrain.ipynb
    "train_epochs": 5,
    "random_cells": 8,
    "train_seeds": 3,
}
PROXY = {"channels": 16, "cells": 8}  # the text's ablation without progressive learning; its K, batch and rates are the script's
# The code's ImageNet script; its rate climbs for five epochs, and it clips the gradient of eta too.
IMAGENET = SEARCH | {"macro": "imagenet", "channels": 48, "cells": 14, "batch_size": 512, "weight_lr": 0.5, "lr_warmup": 5, "arch_lr": 6e-3}
IMAGENET |= {"arch_grad_clip": 5.0}
# S1 to S4: Zela et al.'s search. DrNAS has published no settings for these spaces.
ROBUST = SEARCH | PROXY | {"weight_lr": 0.025, "weight_lr_min": 0.001, "arch_lr": 3e-4}
# Small data: chosen here; nothing is published.
OWN = SEARCH | {"channels": 12, "cells": 3, "weight_lr": 0.025, "weight_lr_min": 0.001, "arch_lr": 1e-2, "evaluate": "train"}
ROBUST_OWN = OWN | {"channels": 8}

ROBUST_SPACES = {"s1": 2, "s2": 2, "s3": 3, "s4": 2}  # operations on every edge; a new space of DARTS cells is a row here
SETTINGS = {
    ("darts", "published"): SEARCH,
    ("darts", "imagenet"): IMAGENET,
    ("darts", "own"): OWN,
    **{(space, "published"): ROBUST for space in ROBUST_SPACES},
    **{(space, "own"): ROBUST_OWN for space in ROBUST_SPACES},
}
WITHOUT_STAGES = {("darts", "published"): PROXY, ("darts", "imagenet"): PROXY}  # differences where a search is not progressive
# The code derives by softmax(eta), the text by the Dirichlet mean: the same operation on an edge, but not always the same edges.
DERIVE = {"released": "softmax", "paper": "mean"}

# (space, family, protocol, progressive): epochs, k, keep and arch_warmup of each stage
STAGES = {
    # The code's script: 'none' is not among the candidates, and the second stage widens by half.
    ("darts", "published", "released", True): ([25, 25], [6, 4], [7, 4], [10, 10]),
    # Section 4.2: 8 operations to 4, K from 6 to 3. Its warm-up is the code's.
    ("darts", "published", "paper", True): ([25, 25], [6, 3], [8, 4], [10, 10]),
    ("darts", "published", "released", False): ([50], [1], [7], [10]),
    ("darts", "published", "paper", False): ([50], [1], [8], [10]),
    ("darts", "imagenet", "released", True): ([25, 25], [6, 3], [7, 4], [10, 10]),
    ("darts", "imagenet", "paper", True): ([25, 25], [6, 3], [8, 4], [10, 10]),
    ("darts", "imagenet", "released", False): ([50], [1], [7], [10]),
    ("darts", "imagenet", "paper", False): ([50], [1], [8], [10]),
    ("darts", "own", "released", True): ([20, 20], [6, 4], [7, 4], [4, 4]),
    ("darts", "own", "paper", True): ([20, 20], [6, 3], [8, 4], [4, 4]),
    ("darts", "own", "released", False): ([40], [1], [7], [4]),
    ("darts", "own", "paper", False): ([40], [1], [8], [4]),
    **{
        (space, family, protocol, False): ([epochs], [1], [operations], [0])
        for space, operations in ROBUST_SPACES.items()
        for family, epochs in (("published", 50), ("own", 20))
        for protocol in ("released", "paper")
    },
}
