"""Which of the edges that leave a node keep an operation, and where their channels are."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """Consecutive entries: [source, source + length) of a stacked tensor belong at [target, target + length) of the whole one."""

    target: int
    source: int
    length: int

    @property
    def stacked(self) -> slice:
        return slice(self.source, self.source + self.length)

    @property
    def whole(self) -> slice:
        return slice(self.target, self.target + self.length)


def runs(positions: tuple[int, ...], size: int) -> tuple[Run, ...]:
    """`positions` (ascending) as the fewest blocks of consecutive ones, `size` entries each."""
    found: list[Run] = []
    for place, position in enumerate(positions):
        if found and found[-1].target + found[-1].length == position * size:
            last = found.pop()
            found.append(Run(last.target, last.source, last.length + size))
        else:
            found.append(Run(position * size, place * size, size))
    return tuple(found)


@dataclass(frozen=True)
class Blocks:
    """The m of n edges, at `positions`, that keep an operation, c = `channels` each; `column` is the operation's place in theta (n, O)."""

    positions: tuple[int, ...]
    edges: int
    channels: int
    column: int

    @cached_property
    def everywhere(self) -> bool:
        return len(self.positions) == self.edges

    @cached_property
    def of_channels(self) -> tuple[Run, ...]:
        return runs(self.positions, self.channels)

    @cached_property
    def of_edges(self) -> tuple[Run, ...]:
        return runs(self.positions, 1)

    def theta(self, theta: Tensor) -> Tensor:
        """The operation's weight for each of its channels: theta (n, O) -> (m c,)."""
        weight = theta.select(1, self.column)
        weight = weight if self.everywhere else torch.cat([weight[run.whole] for run in self.of_edges])
        return weight[:, None].expand(-1, self.channels).reshape(-1)

    def add_theta(self, grad_theta: Tensor, per_channel: Tensor) -> None:
        """The adjoint: put the sum over the channels of each edge, of (m c,), into the column of (n, O)."""
        column, per_edge = grad_theta.select(1, self.column), per_channel.view(-1, self.channels).sum(1)
        for run in self.of_edges:
            column[run.whole] = per_edge[run.stacked]

    def spread(self, stacked: Tensor) -> Tensor:
        """(m c, ...) in its places among (n c, ...), zeros elsewhere."""
        if self.everywhere:
            return stacked
        whole = stacked.new_zeros(self.edges * self.channels, *stacked.shape[1:])
        for run in self.of_channels:
            whole[run.whole] = stacked[run.stacked]
        return whole

    def gather(self, whole: Tensor, dim: int = 0) -> Tensor:
        """The adjoint of `spread`, along `dim`."""
        if self.everywhere:
            return whole
        parts = [whole.narrow(dim, run.target, run.length) for run in self.of_channels]
        return parts[0].contiguous() if len(parts) == 1 else torch.cat(parts, dim)
