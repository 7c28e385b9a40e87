"""From one stage's supernet to the next: fewer operations, more channels (Net2Net, eq. 7 and 8).

Every kept operation of the new supernet has the old channels, in order, followed by copies of old channels drawn at random with
replacement. Input and output channels are drawn independently for each convolution, except that a pointwise convolution reads the channels
of the depthwise one before it, and statistics follow their convolution.
Nothing is divided by the number of copies, so the function is not preserved exactly; the paper says so too.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from drnas_lib.nets.mixed import MixedEdges
from drnas_lib.nets.stacked import Pool, StackedConv, StackedDepthwise


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


def channel_maps(old: nn.Module, new: nn.Module, generator: torch.Generator) -> dict[str, ChannelMap]:
    """A map for each tensor in the mixed edges of `new`, by name. `new` has no operation on an edge that `old` lacks."""
    found: dict[str, ChannelMap] = {}
    before: dict[str, Any] = dict(old.named_modules())
    for name, source in new.named_modules():
        if isinstance(source, MixedEdges):
            for operation, module in source.shared.items():
                found |= _of_operation(f"{name}.shared.{operation}", before, module, torch.zeros(1, dtype=torch.long), generator)
            for operation, module in source.stacked.items():
                was = before[name].positions[operation]
                edges = torch.tensor([was.index(position) for position in source.positions[operation]])
                found |= _of_operation(f"{name}.stacked.{operation}", before, module, edges, generator)
    return found


def _of_operation(
    name: str, before: dict[str, Any], operation: nn.Module, edges: Tensor, generator: torch.Generator
) -> dict[str, ChannelMap]:
    """The maps of an operation whose block j was block `edges[j]`. The input of a pointwise convolution follows the depthwise one."""
    found: dict[str, ChannelMap] = {}
    follows = None
    for path, module in operation.named_modules(prefix=name):
        if not isinstance(module, StackedConv | StackedDepthwise | Pool):
            continue
        was = before[path]
        out = channel_choice(len(edges), was.channels, module.channels, generator)
        of_channels = ChannelMap(edges, out, was.channels)
        if isinstance(module, StackedDepthwise):
            found[f"{path}.weight"], follows = of_channels, out
            continue
        if isinstance(module, StackedConv):
            into = channel_choice(len(edges), was.into, module.into, generator) if follows is None else follows
            found[f"{path}.weight"] = ChannelMap(edges, out, was.channels, into)
        found |= {f"{path}.norm.{statistic}": of_channels for statistic in ("running_mean", "running_var")}
    return found


@torch.no_grad()
def carry(old: dict[str, Tensor], maps: dict[str, ChannelMap], names: list[str]) -> dict[str, Tensor]:
    """The tensors `names` of the new network, gathered from those of the old one: a state_dict, or momentum by parameter name."""
    return {name: maps[name](old[name].cpu()).to(old[name].device) if name in maps else old[name].clone() for name in names}
