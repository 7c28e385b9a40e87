"""The networks of a space, in the size of a search: its supernet, and the network of a genotype."""

import torch
from torch import Tensor, nn

from drnas_lib.config.retrain import RetrainSettings
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.genotype import DartsGenotype, Genotype, Nb201Genotype
from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.nets.nb201_network import Nb201Network
from drnas_lib.spaces import SPACES
from drnas_lib.spaces.darts import DARTS
from drnas_lib.spaces.nb201 import NB201

SUPERNETS = {  # by the kinds of cell
    NB201.groups: lambda space, s, kind, k, mask, images, noise: kind(space, k, mask, s.channels, s.cells, *images),
    DARTS.groups: lambda space, s, kind, k, mask, images, noise: DartsSuperNet(
        space, k, mask, s.macro, s.channels, s.cells, images[0], images[1], s.drop_path > 0, noise
    ),
}
NETWORKS = {
    Nb201Genotype: lambda cell, s, *images, **_: Nb201Network(cell, s.channels, s.cells, *images),
    DartsGenotype: lambda cell, s, *images, **options: DartsNetwork(cell, s.macro, s.channels, s.cells, *images, **options),
}


def supernet(
    settings: SearchSettings, kind: type[Nb201SuperNet], k: int, mask: Tensor, images: tuple[int, int], noise: torch.Generator
) -> nn.Module:
    """The supernet of a search for `images` = (classes, channels): `forward(x, theta)` with the method's theta (G, E, O) gives logits.

    `kind` is the class that the method needs. `noise` is on the device of the search; only random operations and drop path use it.
    """
    space = SPACES[settings.space]
    if kind is not Nb201SuperNet and space.groups != NB201.groups:
        raise ValueError(f"method={settings.method!r} with space={space.name!r}: its network {kind.__name__} exists for nb201 only")
    return SUPERNETS[space.groups](space, settings, kind, k, mask, images, noise)


def network(genotype: Genotype, settings: SearchSettings | RetrainSettings, classes: int, in_channels: int, **options) -> nn.Module:
    """The network of a genotype in the width and depth of the settings; its batch normalisations learn scale and shift.

    `options` are those of DartsNetwork; a NAS-Bench-201 cell has none.
    """
    return NETWORKS[type(genotype)](genotype, settings, classes, in_channels, **options)
