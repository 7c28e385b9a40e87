"""DSNAS (Hu et al., CVPR 2020): a one-hot draw, and a gradient that needs no temperature and only the operation drawn.

The cost of an edge is what the loss owes to the operation that was drawn, r_e = (dL/dZ_e) . Z_e; the gradient of eta is
r_e times that of log p(Z_e). Its mean is the exact gradient of E[L] where L is affine in each edge's Z_e.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from drnas_lib.methods.gumbel import gumbel
from drnas_lib.methods.method import Method
from drnas_lib.nets.single_path import SinglePathNet


class _Drawn(torch.autograd.Function):
    """`apply(logits, chosen)`: one-hot Z at `chosen` (G, E); backward is the estimator above."""

    @staticmethod
    def forward(ctx, logits: Tensor, chosen: Tensor) -> Tensor:
        drawn = F.one_hot(chosen, logits.shape[-1]).to(logits.dtype)
        ctx.save_for_backward(drawn, logits.softmax(-1))
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        drawn, p = ctx.saved_tensors
        cost = (grad * drawn).sum(-1, keepdim=True)  # G E 1
        return cost * (drawn - p), None  # d log p(Z) / d logits = Z - p


class DSNAS(Method):
    """theta = Z, one-hot, drawn from p = softmax(eta)."""

    network, capturable, probes = SinglePathNet, False, 16

    def sample(self, generator: torch.Generator | None) -> Tensor:
        logits = self.logits()
        chosen = (logits.detach() + gumbel(logits, generator)).argmax(-1)
        return _Drawn.apply(logits, chosen)

    def mean(self) -> Tensor:
        return self.logits().softmax(-1)
