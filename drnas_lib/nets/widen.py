"""From one stage's supernet to the next: fewer operations, more channels (Net2Net, eq. 7 and 8).

Every kept operation of the new supernet has the old channels, in order, followed by copies of old channels drawn at random with
replacement. Input and output channels are drawn independently for each convolution, except inside one operation, where they must fit.
Nothing is divided by the number of copies, so the function is not preserved exactly; the paper says so too. A module that grows maps
its own tensors: `grown_from(before, generator)`.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ChannelMap:
    """Block j of the new tensor is block `edges[j]` of the old one: its channels `out` (m, c_new), its inputs `into` (m, c_in) or all.

    A block of the old tensor has `width` channels. The map serves weights, running statistics and momentum.
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


@runtime_checkable
class Grows(Protocol):
    """All mixed edges that leave a node. `grown_from` gives maps by tensor name; ValueError where it is no successor of `before`."""

    def grown_from(self, before: "Grows", generator: torch.Generator) -> dict[str, ChannelMap]: ...


def channel_maps(old: nn.Module, new: nn.Module, generator: torch.Generator) -> dict[str, ChannelMap]:
    """A map for each tensor of `new` that differs from `old`, by name. Raises ValueError where `new` is no successor of `old`."""
    found: dict[str, ChannelMap] = {}
    before = dict(old.named_modules())
    for name, module in new.named_modules():
        if not isinstance(module, Grows):
            continue
        try:
            maps = module.grown_from(before[name], generator)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        found |= {f"{name}.{leaf}": channel_map for leaf, channel_map in maps.items()}
    return found


@torch.no_grad()
def carry(old: dict[str, Tensor], maps: dict[str, ChannelMap], names: list[str]) -> dict[str, Tensor]:
    """The tensors `names` of the new network, gathered from those of the old one: a state_dict, or momentum by parameter name."""
    return {name: maps[name](old[name].cpu()).to(old[name].device) if name in maps else old[name].clone() for name in names}
