"""DSNAS (Hu et al., CVPR 2020): a one-hot draw, and a gradient that needs no temperature and only the operation drawn.

The cost of an edge is the part of the loss that comes from the drawn operation, r_e = (dL/dZ_e) . Z_e; the gradient of eta is
r_e times that of log p(Z_e). Its mean is the exact gradient of E[L] where L is affine in each edge's Z_e.

An edge whose two largest probabilities differ by 0.3 or more at the start of an epoch is fixed (the authors' early fixing): from then
on it has the most likely operation only, and its eta does not move. The authors' penalty for FLOPs above 290 M is left out: it belongs
to their space of ShuffleNet blocks on ImageNet, and DrNAS' Table 4 bounds no cost.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.gumbel import gumbel
from drnas_lib.methods.method import Method, MethodContext, one_hot
from drnas_lib.nets.single_path import SinglePathNet

FIXING_MARGIN = 0.3  # the difference of the two largest probabilities at which an edge is fixed


class _Drawn(torch.autograd.Function):
    """`apply(logits, chosen)`: one-hot Z at `chosen` (G, E); backward is the estimator above."""

    @staticmethod
    def forward(ctx, logits: Tensor, chosen: Tensor) -> Tensor:
        drawn = one_hot(chosen, logits)
        ctx.save_for_backward(drawn, logits.softmax(-1))
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        drawn, p = ctx.saved_tensors
        cost = (grad * drawn).sum(-1, keepdim=True)  # G E 1
        return cost * (drawn - p), None  # d log p(Z) / d logits = Z - p


class DSNAS(Method):
    """theta = Z, one-hot, drawn from p = softmax(eta) over the operations that are `open`.

    `open` (G, E, O) is true everywhere on an edge until it is fixed, and then at one operation. It changes between epochs and in
    place, so that a captured graph sees the new value, and every checkpoint holds it.
    """

    network = SinglePathNet
    open: Tensor
    before: Tensor

    def __init__(self, variables: ArchVariables):
        super().__init__(variables)
        self.register_buffer("open", torch.ones_like(variables.mask))
        self.register_buffer("before", variables.eta.detach().clone(), persistent=False)  # eta at the start of the epoch

    def logits(self) -> Tensor:
        return super().logits().masked_fill(~self.open, -torch.inf)

    @torch.no_grad()
    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Fix every edge that is sure of its operation, without a host synchronisation."""
        p = self.mean()
        first, second = p.topk(2).values.unbind(-1)  # G E
        self.open &= one_hot(p.argmax(-1), self.open) | (first - second < FIXING_MARGIN)[..., None]
        self.before.copy_(self.variables.eta)

    @torch.no_grad()
    def after_epoch(self, context: MethodContext, last: bool) -> None:
        """Restore the eta of fixed edges, which momentum and weight decay have moved although its gradient is zero."""
        fixed = self.open.sum(-1, keepdim=True) == 1
        self.variables.eta.copy_(torch.where(fixed, self.before, self.variables.eta))

    def sample(self, generator: torch.Generator) -> Tensor:
        logits = self.logits()
        chosen = (logits.detach() + gumbel(logits, generator)).argmax(-1)
        return _Drawn.apply(logits, chosen)
