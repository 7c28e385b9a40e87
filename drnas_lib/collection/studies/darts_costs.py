"""The command that counts parameters and multiply-adds of every published cell in both macro networks, on the networks themselves.

    python -m drnas_lib.collection.studies.darts_costs

writes results/darts_space/costs.csv, which the tables read. Without auxiliary heads; an image of 32x32 (CIFAR-10) or 224x224.
"""

from collections import Counter
from dataclasses import asdict
from functools import cache

import torch

from drnas_lib.collection.views.darts_tables import COSTS
from drnas_lib.config.cells import published
from drnas_lib.config.presets import MACROS
from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype
from drnas_lib.nets.cost import Cost, macs, parameters
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.runs.files import resolve, write_csv

NODES = (2, 3, 4, 5)  # of a cell, computed and concatenated
CLASSES = {"cifar": 10, "imagenet": 1000}


def cost(genotype: DartsGenotype, macro: str, channels: int | None = None) -> Cost:
    """The cost of the network at its published depth, and width unless `channels` is given; counted on the network itself."""
    with torch.device("meta"):
        net = DartsNetwork(genotype, macro, channels, classes=CLASSES[macro])
    size = MACROS[macro].image_size
    return Cost(parameters(net), macs(net, (3, size, size)))


def quick_cost(genotype: DartsGenotype, macro: str) -> Cost:
    """The same as `cost`, in microseconds: an empty network, and what each operation of both cells adds to it."""
    empty = _with_one_edge(macro, "normal", "none", 0)
    total = Counter(asdict(empty))
    for kind in ("normal", "reduce"):
        for source, _, operation in genotype.edges(kind):
            stride_1_of_reduce = kind == "reduce" and source >= DARTS_CELL_INPUTS
            total.update(asdict(_with_one_edge(macro, kind, operation, DARTS_CELL_INPUTS if stride_1_of_reduce else 0)))
            total.subtract(asdict(empty))
    return Cost(**total)


@cache
def _with_one_edge(macro: str, kind: str, operation: str, source: int) -> Cost:
    """The cost of a network with one operation in one kind of cell, into the second node from `source`, and 'none' everywhere else."""
    none = [("none", 0)] * (2 * len(NODES))
    cells = {"normal": none, "reduce": none} | {kind: [*none[:2], (operation, source), *none[3:]]}
    return cost(DartsGenotype(tuple(cells["normal"]), NODES, tuple(cells["reduce"]), NODES), macro)


def rows() -> list[dict]:
    """A row for each published cell and macro network."""
    cells = [(cell.name, cell.genotype) for cell in published().values() if isinstance(cell.genotype, DartsGenotype)]
    return [{"cell": name, "network": macro} | asdict(cost(genotype, macro)) for name, genotype in cells for macro in CLASSES]


if __name__ == "__main__":
    write_csv(resolve(COSTS), rows())
    print(COSTS)
