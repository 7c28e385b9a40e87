"""The network that a genotype of either kind stands for, in the size of a search."""

from torch import nn

from drnas_lib.genotype import DartsGenotype, Genotype, Nb201Genotype
from drnas_lib.nets.darts_discrete import DartsNetwork
from drnas_lib.nets.discrete import DiscreteNetwork
from drnas_lib.search_settings import SearchSettings


def _nb201(genotype: Nb201Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    return DiscreteNetwork(genotype, settings.channels, settings.cells, classes, in_channels)


def _darts(genotype: DartsGenotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    return DartsNetwork(genotype, settings.macro, settings.channels, settings.cells, classes, in_channels)


NETWORKS = {Nb201Genotype: _nb201, DartsGenotype: _darts}


def network(genotype: Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    """Batch normalisations with scale and shift, in the width and depth of the search."""
    return NETWORKS[type(genotype)](genotype, settings, classes, in_channels)
