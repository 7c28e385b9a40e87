"""Parameters and multiply-adds of every published cell in both macro networks, counted on the networks themselves. A command:

    python -m drnas_lib.darts_costs

writes results/darts_space/costs.csv, which the tables read. Without auxiliary heads; an image of 32x32 (CIFAR-10) or 224x224.
"""

import torch

from drnas_lib.cells import Cell, published
from drnas_lib.darts_tables import COSTS
from drnas_lib.nets.cost import Cost, macs, parameters
from drnas_lib.nets.darts_discrete import DartsNetwork
from drnas_lib.nets.darts_skeleton import MACROS
from drnas_lib.records import resolve, write_csv

CLASSES = {"cifar": 10, "imagenet": 1000}


def cost(cell: Cell, macro: str, channels: int | None = None) -> Cost:
    """Of the network at its published depth, and width unless `channels` says otherwise."""
    with torch.device("meta"):
        net = DartsNetwork(cell.genotype, macro, channels, classes=CLASSES[macro])
    size = MACROS[macro].image_size
    return Cost(parameters(net), macs(net, (3, size, size)))


def rows() -> list[dict]:
    """A row for each cell and macro network."""
    costs = [(cell, macro, cost(cell, macro)) for cell in published().values() for macro in MACROS]
    return [{"cell": cell.name, "network": macro, "parameters": c.parameters, "macs": c.macs} for cell, macro, c in costs]


if __name__ == "__main__":
    write_csv(resolve(COSTS), rows())
    print(COSTS)
