"""The dominant eigenvalue of the Hessian of the validation loss in the architecture variables: the computation at one snapshot.

The loss depends on the architecture through theta alone. So its Hessian in theta, (E O, E O), is built from Hessian-vector products of
the network, one for each entry, and that in every other variable follows by the exact chain rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.architecture import dirichlet
from drnas_lib.errors import UserError

Batch = tuple[Tensor, Tensor]


def softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax (G, E, O) over the kept operations of every edge."""
    return logits.masked_fill(~mask, -torch.inf).softmax(-1)


@dataclass(frozen=True)
class Variable:
    """A variable v (G, E, O) of a method: `start(eta, mask)` gives its value, `theta(v, mask)` the mixing weights at that value."""

    start: Callable[[Tensor, Tensor], Tensor]
    theta: Callable[[Tensor, Tensor], Tensor]


def _laplace_mean(eta: Tensor, mask: Tensor) -> Tensor:
    logs = dirichlet.concentration(eta).log() * mask
    return (logs - logs.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)) * mask


OF_DIRICHLET = {  # all at theta = E[theta], the point of the distribution at which the loss is differentiable twice
    "eta": Variable(lambda eta, mask: eta, lambda v, mask: dirichlet.mean(dirichlet.concentration(v), mask)),
    "beta": Variable(lambda eta, mask: dirichlet.concentration(eta), dirichlet.mean),
    "mean": Variable(lambda eta, mask: dirichlet.mean(dirichlet.concentration(eta), mask), lambda v, mask: v),
    "mu": Variable(_laplace_mean, softmax),  # of the Laplace approximation, eq. 10; its softmax is the Dirichlet mean
}
OF_SOFTMAX = {
    "eta": Variable(lambda eta, mask: eta, softmax),
    "mean": Variable(softmax, lambda v, mask: v),
    "mu": Variable(lambda eta, mask: eta, softmax),
}
VARIABLES: dict[str, dict[str, Variable]] = {"drnas": OF_DIRICHLET, "darts": OF_SOFTMAX, "darts_2nd": OF_SOFTMAX}


class HessianError(UserError, ValueError):
    """The method has no such Hessian; the message names those that exist."""


def find_variable(method: str, name: str) -> Variable:
    """The variable `name` of a method. Raises HessianError for a method without a twice differentiable point, or without that variable."""
    if method not in VARIABLES:
        raise HessianError(f"method={method!r} of this run: theta has no twice differentiable point. Allowed are {', '.join(VARIABLES)}.")
    if name not in VARIABLES[method]:
        raise HessianError(f"variable={name!r}: {method} has no such variable. Allowed are {', '.join(VARIABLES[method])}.")
    return VARIABLES[method][name]


def in_theta(net: torch.nn.Module, batches: list[Batch], theta: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross-entropy over `batches` in nats, its gradient (n,) and dense Hessian (n, n) in the n kept entries of theta.

    One Hessian-vector product for each entry, batch by batch, summed in float64; the Hessian is not symmetrised.
    """
    count = int(mask.sum())
    basis = torch.eye(count, dtype=theta.dtype, device=theta.device)
    loss = torch.zeros((), dtype=torch.float64, device=theta.device)
    gradient, hessian = loss.new_zeros(count), loss.new_zeros(count, count)
    images = sum(len(y) for _, y in batches)
    for x, y in batches:
        entries = theta[mask].clone().requires_grad_()  # n
        of_batch = F.cross_entropy(net(x, torch.zeros_like(theta).masked_scatter(mask, entries)), y)
        (first,) = torch.autograd.grad(of_batch, entries, create_graph=True)
        rows = [torch.autograd.grad(first, entries, vector, retain_graph=True)[0] for vector in basis]
        share = len(y) / images
        loss += share * of_batch.detach()
        gradient += share * first.detach()
        hessian += share * torch.stack(rows)
    return loss, gradient, hessian


def pull_back(variable: Variable, eta: Tensor, mask: Tensor, gradient: Tensor, hessian: Tensor) -> Tensor:
    """Hessian (n, n) in the kept entries of a variable, from gradient (n,) and Hessian (n, n) in theta, all float64.

    It is that of the model g d + d H d / 2, d = theta(v) - theta(v0), which equals the loss up to second order.
    """
    quadratic, start = _model(variable, eta.to(gradient), mask, gradient, hessian)
    return torch.autograd.functional.hessian(quadratic, start)


def gradient_in(variable: Variable, eta: Tensor, mask: Tensor, gradient: Tensor) -> Tensor:
    """Gradient (n,) in the kept entries of a variable, from the gradient (n,) in theta, by the same model."""
    quadratic, start = _model(variable, eta.to(gradient), mask, gradient, torch.zeros_like(gradient).diag())
    return torch.autograd.functional.jacobian(quadratic, start)


def _model(variable: Variable, eta: Tensor, mask: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    whole = variable.start(eta, mask)
    origin = variable.theta(whole, mask)[mask]

    def quadratic(entries: Tensor) -> Tensor:
        step = variable.theta(whole.masked_scatter(mask, entries), mask).masked_select(mask) - origin
        return gradient @ step + step @ hessian @ step / 2

    return quadratic, whole[mask]


def symmetry_defect(hessian: Tensor) -> float:
    """max |H - H^T| / max |H|, which is 0 in exact arithmetic."""
    return float((hessian - hessian.T).abs().max() / hessian.abs().max().clamp_min(1e-300))


def spectrum(hessian: Tensor, shift: float = 0.0) -> Tensor:
    """Eigenvalues (n,) of the symmetric part plus `shift` times I, ascending."""
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2) + shift
