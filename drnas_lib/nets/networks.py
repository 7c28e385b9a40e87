"""The network that a genotype of either kind stands for, in the size of a search."""

import torch
from torch import nn

from drnas_lib.config import SearchSettings
from drnas_lib.genotype import DartsGenotype, Genotype, Nb201Genotype
from drnas_lib.nets.darts_discrete import DartsNetwork
from drnas_lib.nets.discrete import DiscreteNetwork


def _nb201(genotype: Nb201Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    return DiscreteNetwork(genotype, settings.channels, settings.cells, classes, in_channels)


def _darts(genotype: DartsGenotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    return DartsNetwork(genotype, settings.macro, settings.channels, settings.cells, classes, in_channels)


NETWORKS = {Nb201Genotype: _nb201, DartsGenotype: _darts}


def network(genotype: Genotype, settings: SearchSettings, classes: int, in_channels: int) -> nn.Module:
    """Its weights are drawn from the seed of the search."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return NETWORKS[type(genotype)](genotype, settings, classes, in_channels)
