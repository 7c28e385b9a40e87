"""The Dirichlet distribution of the mixing weights of one edge: theta ~ Dir(beta), beta = ELU(eta) + 1 (sections 2.1 and 2.2).

Every function takes `beta` and `mask` of shape (G, E, O) and treats each edge as a distribution of its own over its kept
operations. All numbers are float64, and draws are made in logarithms, so that they stay right for eta from FLOOR to 1e6 and beyond.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

FLOOR = -300.0  # of eta: below it beta stays at 5e-131, whose inverse and its square are finite in float64


def concentration(eta: Tensor) -> Tensor:
    """beta = ELU(eta) + 1 > 0 (section 2.2), float64: exp(eta) below 0, where the sum itself would round to 0, and 1 + eta above."""
    eta = eta.double()
    above = F.relu(eta)
    return (eta - above).clamp_min(FLOOR).exp() + above


class _Pathwise(torch.autograd.Function):
    """A draw from Dir(beta) over the kept operations with the pathwise gradient of eq. 3; differentiable once."""

    @staticmethod
    def forward(ctx, beta: Tensor, mask: Tensor, generator: torch.Generator | None) -> Tensor:
        # log Gamma(b) = log Gamma(b + 1) - Exp(1) / b in distribution; Gamma(b) itself underflows where b is small.
        waits = torch.empty_like(beta).exponential_(generator=generator)
        logs = torch._standard_gamma(beta + 1.0, generator).log_().addcdiv_(waits, beta, value=-1.0)
        theta = logs.masked_fill_(~mask, -torch.inf).softmax(-1)
        ctx.save_for_backward(theta, beta, mask)
        return theta

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        theta, beta, mask = ctx.saved_tensors
        total = (beta * mask).sum(-1, keepdim=True).expand_as(beta)
        gradient = torch._dirichlet_grad(theta, beta, total)  # d theta_i / d beta_i, divided by 1 - theta_i; 0 where theta_i is 0
        return gradient * (grad - (theta * grad).sum(-1, keepdim=True)), None, None


def sample(beta: Tensor, mask: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """theta (G, E, O) ~ Dir(beta) on the kept operations, exactly zero elsewhere; gradients reach beta.

    A Dirichlet whose dropped entries are removed and renormalised is the Dirichlet of the kept entries. `beta` is float64;
    `generator` lives on its device.
    """
    return _Pathwise.apply(beta, mask, generator)


def mean(beta: Tensor, mask: Tensor) -> Tensor:
    """E[theta] = beta / sum of the kept beta, zero for dropped operations (eq. 4)."""
    kept = beta * mask
    return kept / kept.sum(-1, keepdim=True)


def kl_to_flat(beta: Tensor, mask: Tensor) -> Tensor:
    """KL(Dir(beta) || Dir(1)) of every edge over its kept operations, (G, E), in nats (appendix A.5). It grows as 1 / beta."""
    kept = mask.sum(-1).to(beta.dtype)  # G E
    total = (beta * mask).sum(-1)
    terms = ((beta - 1.0) * (torch.digamma(beta) - torch.digamma(total)[..., None]) - torch.lgamma(beta)) * mask
    return torch.lgamma(total) - torch.lgamma(kept) + terms.sum(-1)
