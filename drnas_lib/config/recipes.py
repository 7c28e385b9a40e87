"""The published recipes for training the network of one cell. No torch."""

from dataclasses import dataclass, replace

from drnas_lib.config.presets import ROBUST_SPACES, STREAMED


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: SGD with momentum, a learning rate per epoch, augmentation and regularisation.

    `schedule` is a row of retrain.schedule.SCHEDULES. `warmup_epochs` climb to `lr` in equal steps instead of following it.
    """

    epochs: int
    batch_size: int
    lr: float
    schedule: str
    weight_decay: float
    momentum: float = 0.9
    nesterov: bool = False
    grad_clip: float | None = None  # largest norm of the whole gradient
    warmup_epochs: int = 0
    label_smoothing: float = 0.0
    auxiliary: float = 0.0  # weight of the auxiliary head's loss; 0: no such head
    drop_path: float = 0.0  # grows linearly with the epochs to this probability
    cutout: int = 0  # side of the hole, pixels
    plain_pools: bool = False  # poolings without a batch norm behind them
    test_every_epoch: bool = True


DARTS = Recipe(epochs=600, batch_size=64, lr=0.025, schedule="cosine", weight_decay=3e-4, grad_clip=5.0, auxiliary=0.4, drop_path=0.3,
               cutout=16)  # fmt: skip
RECIPES = {
    # The DrNAS code's train.py; the paper states all of it but the batch.
    "drnas": DARTS,
    # PC-DARTS' batch, the other of two in use; everything else is the same.
    "pc_darts": replace(DARTS, batch_size=96),
    # RobustDARTS' evaluation of S1 to S4.
    "robust_spaces": replace(DARTS, batch_size=96, drop_path=0.2, plain_pools=True),
    # The DrNAS code's train_imagenet.py.
    "imagenet": Recipe(epochs=250, batch_size=768, lr=0.5, schedule="linear_tail", weight_decay=3e-5, grad_clip=5.0, warmup_epochs=5,
                       label_smoothing=0.1, auxiliary=0.4),
    # Dong & Yang, NAS-Bench-201 (ICLR 2020), section 2.2.
    "nb201": Recipe(epochs=200, batch_size=256, lr=0.1, schedule="cosine", weight_decay=5e-4, nesterov=True, test_every_epoch=False),
}  # fmt: skip
TAIL_EPOCHS = 5  # of the schedule linear_tail


def recipe_of(name: str, protocol: str) -> Recipe:
    """The recipe of the text or of the released code; on ImageNet the text has a plain linear decay, the code one with a slow tail."""
    recipe = RECIPES[name]
    return replace(recipe, schedule="linear") if protocol == "paper" and recipe.schedule == "linear_tail" else recipe


def darts_macro(dataset: str) -> str:
    """The macro network in which a cell of the DARTS space is trained on a data set."""
    return "imagenet" if dataset == STREAMED else "cifar"


def usual_recipe(macro: str, space: str) -> str:
    """The name of the recipe for a cell that a search on `space` found, or for a published one."""
    return macro if macro in RECIPES else "robust_spaces" if space in ROBUST_SPACES else "drnas"
