"""The command that counts parameters and multiply-adds of every published cell in both macro networks, on the networks themselves.

    python -m drnas_lib.collection.studies.darts_costs

writes results/darts_space/costs.csv, which the tables read. Without auxiliary heads; an image of 32x32 (CIFAR-10) or 224x224.
"""

from functools import lru_cache

import torch

from drnas_lib.collection.views.darts_tables import COSTS
from drnas_lib.config.cells import published
from drnas_lib.genotype import DARTS_CELL_INPUTS, DartsGenotype
from drnas_lib.nets.cost import Cost, macs, parameters
from drnas_lib.nets.darts_network import DartsNetwork
from drnas_lib.nets.darts_skeleton import MACROS
from drnas_lib.runs.records import resolve, write_csv

NODES = (2, 3, 4, 5)  # of a cell, computed and concatenated
CLASSES = {"cifar": 10, "imagenet": 1000}


def cost(genotype: DartsGenotype, macro: str, channels: int | None = None) -> Cost:
    """The cost of the network at its published depth, and width unless `channels` is given; counted on the network itself."""
    with torch.device("meta"):
        net = DartsNetwork(genotype, macro, channels, classes=CLASSES[macro])
    size = MACROS[macro].image_size
    return Cost(parameters(net), macs(net, (3, size, size)))


def quick_cost(genotype: DartsGenotype, macro: str) -> Cost:
    """The same as `cost`, in microseconds: the sum over the operations of both cells, each of which is counted once."""
    parts = [_counted(macro, "normal", "none", 0)]
    for kind in ("normal", "reduce"):
        for source, _, operation in genotype.edges(kind):
            stride_1_of_reduce = kind == "reduce" and source >= DARTS_CELL_INPUTS
            parts.append(_share(macro, kind, operation, DARTS_CELL_INPUTS if stride_1_of_reduce else 0))
    return Cost(sum(part.parameters for part in parts), sum(part.macs for part in parts))


@lru_cache(maxsize=256)
def _share(macro: str, kind: str, operation: str, source: int) -> Cost:
    """What one operation adds that reads a cell's input (`source` 0) or its first node (2)."""
    whole, empty = _counted(macro, kind, operation, source), _counted(macro, "normal", "none", 0)
    count = sum(entry[1] == source for entry in _filled("any", source))
    return Cost((whole.parameters - empty.parameters) // count, (whole.macs - empty.macs) // count)


@lru_cache(maxsize=256)
def _counted(macro: str, kind: str, operation: str, source: int) -> Cost:
    """The cost of a network with `operation` on all edges from `source` in one kind of cell, and 'none' everywhere else."""
    cells = {"normal": _filled("none", 0), "reduce": _filled("none", 0)} | {kind: _filled(operation, source)}
    return cost(DartsGenotype(cells["normal"], NODES, cells["reduce"], NODES), macro)


def _filled(operation: str, source: int) -> tuple[tuple[str, int], ...]:
    """The entries of a cell with `operation` wherever a node can read `source`, and 'none' elsewhere."""
    return tuple((operation, source) if source < node else ("none", 0) for node in NODES for _ in range(2))


def rows() -> list[dict]:
    """A row for each published cell and macro network."""
    cells = [(cell.name, cell.genotype) for cell in published().values() if isinstance(cell.genotype, DartsGenotype)]
    costs = [(name, macro, cost(genotype, macro)) for name, genotype in cells for macro in MACROS]
    return [{"cell": name, "network": macro, "parameters": c.parameters, "macs": c.macs} for name, macro, c in costs]


if __name__ == "__main__":
    write_csv(resolve(COSTS), rows())
    print(COSTS)
