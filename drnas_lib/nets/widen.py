"""From one stage's supernet to the next: fewer operations, more channels (Net2Net, eq. 7 and 8).

The new supernet copies what it can: of every kept operation the old channels, in order, followed by copies of old channels
drawn at random with replacement. Input and output channels are drawn independently for each convolution, but for those inside one
operation that must fit each other, and nothing is divided by the number of copies, so the function is not preserved exactly; the
paper says so too. A module that grows says itself where its tensors come from: `grown_from(before, generator)`.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from drnas_lib.nets.channel_map import ChannelMap


@runtime_checkable
class Grows(Protocol):
    """All mixed edges that leave a node; maps by tensor name, ValueError where it is no successor of `before`."""

    def grown_from(self, before: "Grows", generator: torch.Generator) -> dict[str, ChannelMap]: ...


def channel_maps(old: nn.Module, new: nn.Module, generator: torch.Generator) -> dict[str, ChannelMap]:
    """A map for each tensor of `new` that is another one than in `old`, by name. Raises ValueError where `new` is no successor of `old`."""
    found, before = {}, dict(old.named_modules())
    for name, module in new.named_modules():
        if not isinstance(module, Grows):
            continue
        try:
            maps = module.grown_from(before[name], generator)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        found |= {f"{name}.{leaf}": way for leaf, way in maps.items()}
    return found


@torch.no_grad()
def carry(old: dict[str, Tensor], maps: dict[str, ChannelMap], names: list[str]) -> dict[str, Tensor]:
    """The tensors `names` of the new network, gathered from those of the old one: a state_dict, or momentum by parameter name."""
    return {name: maps[name](old[name].cpu()).to(old[name].device) if name in maps else old[name].clone() for name in names}
