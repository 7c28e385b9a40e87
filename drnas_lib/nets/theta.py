"""How theta reaches the operations that it weights: gathered once for all cells of a group, repeated once for all cells of a width."""

from collections.abc import Sequence

import torch
from torch import Tensor

from drnas_lib.nets.mixed import MixedEdges, Theta


class ThetaLayout:
    """Where the weights of the `sources` of a cell lie in theta (E, O). `leaving`: the edges that leave each of them."""

    def __init__(self, sources: Sequence[MixedEdges], leaving: Sequence[Sequence[int]], names: tuple[str, ...]):
        def places(kind: str) -> list[list[int]]:
            return [
                [edges[position] * len(names) + names.index(name) for position in source.positions[name]]
                for source, edges in zip(sources, leaving)
                for name in getattr(source, kind)
            ]

        stacked, shared = places("stacked"), places("shared")
        self.index = torch.tensor([place for places in (*stacked, *shared) for place in places], dtype=torch.long)
        self.stacked, self.shared = [len(places) for places in stacked], [len(places) for places in shared]
        self.counts = [(len(source.stacked), len(source.shared)) for source in sources]

    def cut(self, weights: Tensor, channels: int) -> list[Theta]:
        """theta (E, O), flattened and indexed by `index`, for the sources of cells that mix `channels` channels."""
        of_stacked, of_shared = weights.split([sum(self.stacked), sum(self.shared)])
        by_channel = of_stacked[:, None].expand(-1, channels).reshape(-1)
        stacked = iter(by_channel.split([channels * count for count in self.stacked]))
        shared = iter(of_shared.view(-1, 1, 1, 1).split(self.shared))
        return [Theta(tuple(next(stacked) for _ in range(a)), tuple(next(shared) for _ in range(b))) for a, b in self.counts]
