"""The Dirichlet distribution of the mixing weights of one edge: theta ~ Dir(beta), beta = ELU(eta) + 1 (sections 2.1 and 2.2).

Every function takes `beta` and `mask` of shape (G, E, O) and treats each edge as a distribution of its own over its kept
operations. A Dirichlet whose dropped entries are removed and renormalised is the Dirichlet of the kept entries, so
only these are ever drawn.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def concentration(eta: Tensor) -> Tensor:
    """beta = ELU(eta) + 1 > 0, element by element (section 2.2)."""
    return F.elu(eta) + 1.0


class _Pathwise(torch.autograd.Function):
    """A draw from Dir(beta) over the last dimension with the pathwise gradient of eq. 3; differentiable once."""

    @staticmethod
    def forward(ctx, beta: Tensor, generator: torch.Generator | None) -> Tensor:
        theta = torch._sample_dirichlet(beta, generator=generator)
        ctx.save_for_backward(theta, beta)
        return theta

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        theta, beta = ctx.saved_tensors
        total = beta.sum(-1, keepdim=True).expand_as(beta)
        gradient = torch._dirichlet_grad(theta, beta, total)  # d theta_i / d beta_i
        return gradient * (grad - (theta * grad).sum(-1, keepdim=True)), None


def kept_index(mask: Tensor) -> Tensor:
    """(G, E, kept): the positions of the kept operations, the same number on every edge."""
    kept = int(mask.sum(-1).max())
    return mask.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., :kept]


def sample(beta: Tensor, index: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """theta (G, E, O) ~ Dir(beta) on the kept operations `index` (G, E, kept), exactly zero elsewhere; gradients reach beta.

    `generator` lives on the device of `beta`.
    """
    theta = _Pathwise.apply(beta.gather(-1, index), generator)  # G E kept
    return torch.zeros_like(beta).scatter(-1, index, theta)


def mean(beta: Tensor, mask: Tensor) -> Tensor:
    """E[theta] = beta / sum of the kept beta, zero for dropped operations (eq. 4)."""
    kept = beta * mask
    return kept / kept.sum(-1, keepdim=True)


def kl_to_flat(beta: Tensor, mask: Tensor) -> Tensor:
    """KL(Dir(beta) || Dir(1)) of every edge over its kept operations, (G, E), in nats (appendix A.5)."""
    kept = mask.sum(-1).to(beta.dtype)  # G E
    total = (beta * mask).sum(-1)
    terms = ((beta - 1.0) * (torch.digamma(beta) - torch.digamma(total)[..., None]) - torch.lgamma(beta)) * mask
    return torch.lgamma(total) - torch.lgamma(kept) + terms.sum(-1)
