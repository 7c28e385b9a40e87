"""Where the entries of a widened tensor come from."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ChannelMap:
    """Block j of the new tensor is block `edges[j]` of the old one: its channels `out` (m, c_new), its inputs `into` (m, c_in) or all.

    A block of the old tensor has `width` channels. Weights, running statistics and momentum take the same way.
    """

    edges: Tensor
    out: Tensor
    width: int
    into: Tensor | None = None

    def __call__(self, old: Tensor) -> Tensor:
        """(m_old width, ...) -> (m c_new, ...)."""
        blocks = old.view(-1, self.width, *old.shape[1:])
        if self.into is None:
            return blocks[self.edges[:, None], self.out].flatten(0, 1)
        return blocks[self.edges[:, None, None], self.out[:, :, None], self.into[:, None, :]].flatten(0, 1)


def channel_choice(edges: int, old: int, new: int, generator: torch.Generator) -> Tensor:
    """(edges, new) indices of old channels: 0 .. old-1, then new - old draws with replacement (eq. 7)."""
    copies = torch.randint(old, (edges, new - old), generator=generator)
    return torch.cat([torch.arange(old).expand(edges, old), copies], 1)
