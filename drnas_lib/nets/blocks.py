"""Which of the edges that leave a node keep an operation, and where their channels are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

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


@lru_cache(maxsize=64)
def identity(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant, so made once."""
    return torch.eye(size, dtype=dtype, device=device)


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
    def of_edges(self) -> tuple[Run, ...]:
        return runs(self.positions, 1)

    def begins(self) -> list[int]:
        """Where the channels of each of the n edges begin among those of the m; -1 where it is none of them."""
        return [self.positions.index(edge) * self.channels if edge in self.positions else -1 for edge in range(self.edges)]

    def columns(self) -> list[int]:
        """The operation's place in theta for each of the n edges; -1 where it lacks the operation."""
        return [self.column if edge in self.positions else -1 for edge in range(self.edges)]

    def theta(self, theta: Tensor) -> Tensor:
        """The operation's weight for each of its channels: theta (n, O) -> (m c,)."""
        weight = theta.select(1, self.column)
        weight = weight if self.everywhere else torch.cat([weight[run.whole] for run in self.of_edges])
        return weight[:, None].expand(-1, self.channels).contiguous().view(-1)  # contiguous, which normalisation takes for granted

    def scaled_back(self, grads: Sequence[Tensor], theta: Tensor, total: Tensor | None = None) -> Tensor:
        """The adjoint: the sum over edges of theta_e grads[e], n images of one shape, added to `total` where there is one."""
        weights = theta.select(1, self.column).unbind()
        for edge in self.positions:
            total = grads[edge] * weights[edge] if total is None else total.addcmul_(grads[edge], weights[edge])
        return total

    def add_products(self, grad_theta: Tensor, images: Tensor, grads: Sequence[Tensor]) -> None:
        """The gradient of theta: the images' product with grads[e], summed, into the column of (n, O) where the edge keeps it."""
        column, images = grad_theta.select(1, self.column), images.flatten()
        for edge in self.positions:
            column[edge] = torch.dot(images, grads[edge].flatten())

    def put_theta(self, grad_theta: Tensor, of_edges: Tensor) -> None:
        """The same from such products of all n edges, (n,)."""
        for run in self.of_edges:
            grad_theta[run.whole, self.column] = of_edges[run.whole].to(grad_theta.dtype)

    def side_by_side(self, images: Sequence[Tensor]) -> Tensor:
        """Of images (B, H, W, c), one for each of the n edges, those of the m edges here as one: (B, H, W, m c)."""
        chosen = [images[edge] for edge in self.positions]
        return chosen[0] if len(chosen) == 1 else torch.cat(chosen, -1)

    def add_theta(self, grad_theta: Tensor, per_channel: Tensor) -> None:
        """The adjoint: put the sum over the channels of each edge, of (m c,), into the column of (n, O)."""
        column, per_edge = grad_theta.select(1, self.column), per_channel.view(-1, self.channels).sum(1)
        for run in self.of_edges:
            column[run.whole] = per_edge[run.stacked]
