"""All edges that leave one node of a DARTS cell, computed together.

They see the same input at the same stride: its ReLU and its poolings are computed once, and what an operation does on several edges
is stacked (darts_operations.py). An operation that the mask drops on an edge has no weights there and is never computed.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from drnas_lib.nets.blocks import Run, runs
from drnas_lib.nets.channel_map import ChannelMap
from drnas_lib.nets.darts_operations import BY_STRIDE, under


class MixedEdges(nn.Module):
    """The mixed operations of the n edges leaving a node, on `channels` = C/K channels at `stride`.

    `mask` (n, O) as nested lists names the kept operations, in the order of `operations`. `forward` takes the mixing weights as a list
    of tensors: those that `plan` lists, cut to `sizes`.
    """

    def __init__(self, channels: int, operations: tuple[str, ...], mask: list[list[bool]], stride: int):
        super().__init__()
        self.channels, self.edges, self.stride = channels, len(mask), stride
        shared, stacked = BY_STRIDE[stride]
        if unknown := set(operations) - {"none", *shared, *stacked}:
            raise ValueError(f"no supernet has {', '.join(sorted(unknown))} yet: add rows to SHARED or STACKED in nets/darts_operations.py")
        kept = {name: [e for e, row in enumerate(mask) if row[o]] for o, name in enumerate(operations)}
        column = {name: o for o, name in enumerate(operations)}
        self.positions = {name: kept[name] for name in operations if name in stacked and kept[name]}
        self.stacked = nn.ModuleDict({name: stacked[name](channels, len(edges), stride) for name, edges in self.positions.items()})
        self.shared = nn.ModuleDict({name: shared[name](channels, stride) for name in operations if name in shared and kept[name]})
        self.runs = [runs(tuple(edges), channels) for edges in self.positions.values()]
        self.activates = any(operation.reads_active for operation in self.stacked.values())
        # (edge, operation) of every mixing weight, in the order of use; None where the edge has dropped the operation.
        self.plan = [(e, column[name]) if mask[e][column[name]] else None for e in range(self.edges) for name in self.shared]
        self.plan += [(e, column[name]) for name, edges in self.positions.items() for e in edges]
        self.sizes = ([self.edges * len(self.shared)] if self.shared else []) + [len(edges) for edges in self.positions.values()]

    def forward(
        self, x: Tensor, theta: list[Tensor], base: Tensor | None, drop: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        """x (B, c, H, W), `base` what the targets have received so far -> (B, n c, H', W'), target by target.

        `drop`, a probability on the device, leaves out single edges for single images.
        """
        active = F.relu(x) if self.activates else x  # B c H W
        theta = list(theta)
        of_shared = theta.pop(0) if self.shared else None
        terms = [
            operation(active if operation.reads_active else x, weight, generator)
            for operation, weight in zip(self.stacked.values(), theta)
        ]
        z = torch.stack([operation(x) for operation in self.shared.values()], 1) if self.shared else None  # B L c H' W'
        shape = self._shape(x)
        if drop is None:
            return _total(base, of_shared, z, self.runs, terms, x, shape)
        mixed = _total(None, of_shared, z, self.runs, terms, x, shape)
        survives = torch.rand(shape[0], self.edges, 1, generator=generator, device=x.device) >= drop  # B n 1
        kept = (mixed.view(shape[0], self.edges, -1) * (survives / (1 - drop)).to(x.dtype)).view(shape)
        return kept if base is None else base + kept

    def _shape(self, x: Tensor) -> tuple[int, int, int, int]:
        B, c, H, W = x.shape
        return B, self.edges * c, -(-H // self.stride), -(-W // self.stride)

    def grown_from(self, before: "MixedEdges", generator: torch.Generator) -> dict[str, ChannelMap]:
        """Where each tensor here comes from in a narrower `before`; ValueError where that cannot be."""
        if self.channels < before.channels:
            raise ValueError(f"it would shrink from {before.channels} to {self.channels} channels; K can only fall")
        found = {}
        for name, operation in self.shared.items():
            if name not in before.shared:
                raise ValueError(f"{name} was pruned and cannot come back")
            found |= under(f"shared.{name}", operation.maps(before.shared[name], torch.zeros(1, dtype=torch.long), generator))
        for name, operation in self.stacked.items():
            was = before.positions.get(name, [])
            if not set(self.positions[name]) <= set(was):
                raise ValueError(f"{name} was pruned on an edge and cannot come back")
            edges = torch.tensor([was.index(position) for position in self.positions[name]])
            found |= under(f"stacked.{name}", operation.maps(before.stacked[name], edges, generator))
        return found


def _total(base, theta, z, blocks, terms, like: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """base + theta (n L,) times z (B, L, c, H, W) + the terms (B, m, c, H, W), each at its runs of channels: (B, n c, H, W)."""
    B, width, H, W = shape
    if z is not None:
        weights = theta.view(-1, z.shape[1])  # n L
        n = len(weights)
        weights, flat = weights.expand(B, *weights.shape), z.flatten(2)
        base = torch.bmm(weights, flat) if base is None else torch.baddbmm(base.reshape(B, n, -1), weights, flat)
        base = base.view(shape)
    if not terms:
        return like.new_zeros(shape) if base is None else base
    return _Add.apply(base, shape, blocks, *(term.flatten(1, 2) for term in terms))


class _Add(torch.autograd.Function):
    """Terms added at their blocks of channels, without the copies that autograd makes of a sum written piece by piece."""

    @staticmethod
    def forward(ctx, base: Tensor | None, shape, blocks: list[tuple[Run, ...]], *terms: Tensor) -> Tensor:
        ctx.blocks = blocks
        out = terms[0].new_zeros(shape) if base is None else base.clone()
        for term, runs_of_term in zip(terms, blocks):
            for run in runs_of_term:
                out.narrow(1, run.target, run.length).add_(term.narrow(1, run.source, run.length))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        parts = [[grad.narrow(1, run.target, run.length) for run in runs_of_term] for runs_of_term in ctx.blocks]
        return grad if ctx.needs_input_grad[0] else None, None, None, *(torch.cat(part, 1) for part in parts)
