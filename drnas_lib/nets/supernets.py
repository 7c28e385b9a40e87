"""The supernet of a space: `supernet(space, settings, k, mask, classes, in_channels, generator)`."""

import torch
from torch import Tensor, nn

from drnas_lib.config import SearchSettings
from drnas_lib.nets.darts_supernet import DartsSuperNet
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.spaces.space import Space


def _nb201(space: Space, settings: SearchSettings, k, mask, classes, in_channels, generator) -> SuperNet:
    return SuperNet(space, k, mask, settings.channels, settings.cells, classes, in_channels)


def _darts(space: Space, settings: SearchSettings, k, mask, classes, in_channels, generator) -> DartsSuperNet:
    drops = settings.drop_path > 0
    return DartsSuperNet(space, k, mask, settings.macro, settings.channels, settings.cells, classes, in_channels, drops, generator)


SUPERNETS = {"nb201": _nb201, **dict.fromkeys(("darts", "s1", "s2", "s3", "s4"), _darts)}


def supernet(
    space: Space, settings: SearchSettings, k: int, mask: Tensor, classes: int, in_channels: int, generator: torch.Generator
) -> nn.Module:
    """`forward(x, theta)` with theta (G, E, O) gives logits. `generator` is on the device of the search; only random operations use it."""
    return SUPERNETS[space.name](space, settings, k, mask, classes, in_channels, generator)
