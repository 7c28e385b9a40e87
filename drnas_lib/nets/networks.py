"""The networks of a space, in the size of a search: its supernet, and the network of a genotype."""

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
        raise ValueError(f"method={s.method!r} with space={space.name!r}: its network {kind.__name__} exists for nb201 only")
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
    """The supernet of a search: `forward(x, theta)` with the method's theta (G, E, O) gives logits.

    `kind` is the class that the method needs. `generator` is on the device of the search; only random operations and drop path use it.
    """
    return SUPERNETS[space.groups](space, settings, kind, k, mask, classes, in_channels, generator)


def network(genotype: Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    """The network of a genotype in the width and depth of the search; its batch normalisations learn scale and shift."""
    return NETWORKS[type(genotype)](genotype, settings, classes, in_channels)
