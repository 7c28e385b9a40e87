"""The networks of a space, in the size of a search: its supernet, and the network that a genotype stands for."""

import torch
from torch import Tensor, nn

from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.genotype import DartsGenotype, Genotype, Nb201Genotype
from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.nets.nb201 import SuperNet
from drnas_lib.nets.nb201_network import DiscreteNetwork
from drnas_lib.spaces.darts import DARTS
from drnas_lib.spaces.nb201 import NB201
from drnas_lib.spaces.space import Space


def _nb201(space: Space, s: SearchSettings, kind: type[SuperNet], k, mask, classes, in_channels, generator) -> SuperNet:
    return kind(space, k, mask, s.channels, s.cells, classes, in_channels)


def _darts(space: Space, s: SearchSettings, kind: type[SuperNet], k, mask, classes, in_channels, generator) -> DartsSuperNet:
    if kind is not SuperNet:
        raise ValueError(f"method={s.method!r} with space={space.name!r}: its network {kind.__name__} is there for nb201 alone")
    return DartsSuperNet(space, k, mask, s.macro, s.channels, s.cells, classes, in_channels, s.drop_path > 0, generator)


SUPERNETS = {NB201.groups: _nb201, DARTS.groups: _darts}  # by the kinds of cell
NETWORKS = {
    Nb201Genotype: lambda cell, s, *image: DiscreteNetwork(cell, s.channels, s.cells, *image),
    DartsGenotype: lambda cell, s, *image: DartsNetwork(cell, s.macro, s.channels, s.cells, *image),
}


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


def network(genotype: Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    """Batch normalisations with scale and shift, in the width and depth of the search."""
    return NETWORKS[type(genotype)](genotype, settings, classes, in_channels)
