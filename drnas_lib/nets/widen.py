"""From one stage's supernet to the next: fewer operations, more channels (Net2Net, eq. 7 and 8).

The new supernet copies what it can: of every kept operation the old channels, in order, followed by copies of old channels
drawn at random with replacement. Input and output channels are drawn independently for each convolution, and nothing is
divided by the number of copies, so the function is not preserved exactly; the paper says so too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from drnas_lib.nets.mixed import MixedSource
from drnas_lib.nets.supernet import SuperNet


@dataclass(frozen=True)
class ChannelMap:
    """Where every entry of a stacked tensor comes from: `edges` (m,) old blocks, `out` (m, c_new) and `into` (m, c_new) channels."""

    edges: Tensor
    out: Tensor
    into: Tensor
    old_width: int

    def weight(self, old: Tensor) -> Tensor:
        """(m_old c_old, c_old, k, k) -> (m c_new, c_new, k, k); momentum takes the same way."""
        blocks = old.view(-1, self.old_width, *old.shape[1:])  # m_old c_old c_old k k
        edges, out, into = self.edges[:, None, None], self.out[:, :, None], self.into[:, None, :]
        return blocks[edges, out, into].flatten(0, 1)

    def statistics(self, old: Tensor) -> Tensor:
        """(m_old c_old,) -> (m c_new,): a copied channel keeps its running mean and variance."""
        return old.view(-1, self.old_width)[self.edges[:, None], self.out].flatten()


def channel_choice(edges: int, old: int, new: int, generator: torch.Generator) -> Tensor:
    """(edges, new) indices of old channels: 0 .. old-1, then new - old draws with replacement (eq. 7)."""
    copies = torch.randint(old, (edges, new - old), generator=generator)
    return torch.cat([torch.arange(old).expand(edges, old), copies], 1)


def channel_maps(old: SuperNet, new: SuperNet, generator: torch.Generator) -> dict[str, ChannelMap]:
    """A map for each stacked convolution of `new`, by module name. Raises ValueError where `new` is no successor of `old`."""
    found = {}
    before = dict(old.named_modules())
    for name, source in new.named_modules():
        if not isinstance(source, MixedSource):
            continue
        if source.channels < before[name].channels:
            raise ValueError(f"{name} would shrink from {before[name].channels} to {source.channels} channels; K can only fall")
        for operation, convolution in source.convolutions.items():
            previous = before[name].convolutions[operation]
            if not set(convolution.positions) <= set(previous.positions):
                raise ValueError(f"{name}: {operation} was pruned on an edge and cannot come back")
            edges = torch.tensor([previous.positions.index(position) for position in convolution.positions])
            sizes = len(edges), previous.channels, convolution.channels
            out, into = channel_choice(*sizes, generator), channel_choice(*sizes, generator)
            found[f"{name}.convolutions.{operation}"] = ChannelMap(edges, out, into, previous.channels)
    return found


@torch.no_grad()
def carry(old: dict[str, Tensor], maps: dict[str, ChannelMap], names: list[str]) -> dict[str, Tensor]:
    """The tensors `names` of the new network, gathered from those of the old one: a state_dict, or momentum by parameter name."""
    carried = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        if module in maps:
            way = maps[module].weight if leaf == "weight" else maps[module].statistics
            carried[name] = way(old[name].cpu()).to(old[name].device)
        else:
            carried[name] = old[name].clone()
    return carried
