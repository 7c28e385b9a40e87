"""The supernet of a space: `supernet(space, settings, kind, k, mask, classes, in_channels, generator)`."""

import torch
from torch import Tensor, nn

from drnas_lib.nets.darts_supernet import DartsSuperNet
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.search_settings import SearchSettings
from drnas_lib.spaces.darts import DARTS
from drnas_lib.spaces.nb201 import NB201
from drnas_lib.spaces.space import Space


def _nb201(space: Space, settings: SearchSettings, kind: type[SuperNet], k, mask, classes, in_channels, generator) -> SuperNet:
    return kind(space, k, mask, settings.channels, settings.cells, classes, in_channels)


def _darts(space: Space, settings: SearchSettings, kind: type[SuperNet], k, mask, classes, in_channels, generator) -> DartsSuperNet:
    if kind is not SuperNet:
        raise ValueError(f"method={settings.method!r} with space={space.name!r}: its network {kind.__name__} is there for nb201 alone")
    drops = settings.drop_path > 0
    return DartsSuperNet(space, k, mask, settings.macro, settings.channels, settings.cells, classes, in_channels, drops, generator)


SUPERNETS = {NB201.groups: _nb201, DARTS.groups: _darts}  # by the kinds of cell


def supernet(
    space: Space,
    settings: SearchSettings,
    kind: type[SuperNet],
    k: int,
    mask: Tensor,
    classes: int,
    in_channels: int,
    generator: torch.Generator,
) -> nn.Module:
    """`forward(x, theta)` with theta as the method gives it, (G, E, O), gives logits. `kind` is what the method mixes with.

    `generator` is on the device of the search; only random operations use it.
    """
    return SUPERNETS[space.groups](space, settings, kind, k, mask, classes, in_channels, generator)
