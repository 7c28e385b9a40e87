"""Proposition 1 on a trained supernet: both sides of its bound, and the approximations that lead from one to the other.

With L~(mu) = L(softmax(mu)), H its Hessian at the Laplace mean mu, and ||beta - 1|| <= delta on every edge, the proposition says: if H is
positive semi-definite, E_theta[L(theta)] is bounded from below, approximately, by
L~(mu) + (1/2) (1 / (1 + delta)) ((1 - 2/O) + 1/O) tr(H). It expands the loss to second order, reduces Sigma to its diagonal, and
replaces every variance by the smallest that delta allows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.architecture import dirichlet
from drnas_lib.collection.studies import hessian, theory
from drnas_lib.collection.studies.config import TheoryConfig
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.records import environment, write_json
from drnas_lib.search.restore import TrainedRun

BATCH = 64


@dataclass(frozen=True)
class Bound:
    """All values in nats of mean cross-entropy over the same images.

    `expected` ± `expected_error` (standard error) is the left side; `at_mean` + the last of `steps` (second_order) is the right side.
    `least`, `largest` and `trace` are of the eigenvalues of the Hessian in mu.
    """

    epoch: int
    expected: float
    expected_error: float
    at_mean: float
    steps: dict[str, float]
    delta: float
    least: float
    largest: float
    trace: float
    images: int
    draws: int

    @property
    def right(self) -> float:
        """The right side of the bound."""
        return self.at_mean + self.steps["least variance (the bound)"]

    @property
    def semi_definite(self) -> bool:
        """Whether no eigenvalue is negative beyond rounding; a softmax has an exactly flat direction on every edge."""
        return self.least >= -1e-8 * self.largest

    def table(self) -> pd.DataFrame:
        """Both sides and the steps in between, and how far each is from the left side."""
        rows = {"left side: E over θ, Monte Carlo": self.expected, "loss at the mean, θ = softmax(μ)": self.at_mean}
        rows |= {f"+ {name}": self.at_mean + step for name, step in self.steps.items()}
        return pd.DataFrame({"loss_nats": rows}).assign(minus_left_side=lambda t: t.loss_nats - self.expected)

    def sentences(self) -> str:
        """Whether premise and bound hold, in two sentences."""
        premise = "holds" if self.semi_definite else "fails"
        gap, noise = self.expected - self.right, 2 * self.expected_error
        sign = "above" if gap > noise else "below" if gap < -noise else "not distinguishable from"
        verdict = "as the bound says" if gap > noise else "against the bound" if gap < -noise else "so these draws do not decide the bound"
        return (
            f"**The premise {premise} here: the eigenvalues of the Hessian in μ run from {self.least:.2e} to {self.largest:.2e}, trace "
            f"{self.trace:.2e}. The expected loss {self.expected:.4f} ± {self.expected_error:.4f} is {sign} the right side "
            f"{self.right:.4f} ({verdict}), whose trace term adds {self.right - self.at_mean:+.4f} to the loss at the mean where the true "
            f"difference is {self.expected - self.at_mean:+.4f}.**"
        )


def evaluate(path: str | Path, config: TheoryConfig) -> Bound:
    """The bound at the last snapshot of a DrNAS run, in float64, with the same images on both sides; writes proposition.json beside it.

    Raises RecordError, SnapshotError, HessianError.
    """
    run, device, dtype = TrainedRun.read(path), choose(config.device), torch.float64
    variable = hessian.find_variable(run.settings["method"], "mu")
    if run.settings["method"] != "drnas":
        raise hessian.HessianError(f"method={run.settings['method']!r} of this run: it has no Dirichlet distribution. Allowed is drnas.")
    snapshot = run.snapshot(run.snapshots()[-1], device)
    with reproducible(device):
        net = run.network(snapshot, config.normalisation == "batch", dtype, device)
        batches = run.validation(config.images, min(BATCH, config.images), dtype, device)
        eta, mask = snapshot.eta.double(), snapshot.mask
        theta = variable.theta(variable.start(eta, mask), mask)
        loss, gradient, in_theta = hessian.in_theta(net, batches, theta, mask)
        in_mu = hessian.pull_back(variable, eta, mask, gradient, in_theta)
        beta = dirichlet.concentration(eta)
        draws = _losses(net, batches, beta, mask, config.draws, torch.Generator(device).manual_seed(config.seed))
    slope = hessian.gradient_in(variable, eta, mask, gradient).cpu().numpy()
    steps, delta = second_order(slope, in_mu.cpu().numpy(), beta[mask].cpu().numpy().reshape(-1, int(mask.sum(-1).max())))
    expected, error = float(draws.mean()), float(draws.std() / len(draws) ** 0.5)
    values, images = hessian.spectrum(in_mu), sum(len(y) for _, y in batches)
    ends = float(values[0]), float(values[-1]), float(values.sum())
    bound = Bound(snapshot.epoch, expected, error, float(loss), steps, delta, *ends, images, len(draws))
    about = {"parameters": config.model_dump(), "device": describe(device), "environment": environment()}
    write_json(run.folder.file("proposition.json"), {"bound": vars(bound), "right": bound.right, **about})
    return bound


def second_order(slope: np.ndarray, in_mu: np.ndarray, beta: np.ndarray) -> tuple[dict[str, float], float]:
    """What each step of the proof adds to the loss at the mean, and delta.

    From gradient `slope` (E O,), Hessian `in_mu` (E O, E O) and concentrations `beta` (E, O). Edges are independent, so only the diagonal
    blocks of the Hessian, one for each edge, meet a covariance. The exact mean is not mu, so the first step has a first-order term.
    """
    edges, count = beta.shape
    blocks = [in_mu[e * count : (e + 1) * count, e * count : (e + 1) * count] for e in range(edges)]
    covariances = [theory.laplace(row)[1] for row in beta]
    exact = [theory.exact_moments(row) for row in beta]
    shift = np.concatenate([mean - theory.laplace(row)[0] for (mean, _), row in zip(exact, beta)])
    delta = float(np.linalg.norm(beta - 1.0, axis=1).max())
    factor = ((1 - 2 / count) + 1 / count) / (1 + delta)
    of_exact = slope @ shift + shift @ in_mu @ shift / 2 + sum((c * h).sum() for (_, c), h in zip(exact, blocks)) / 2
    return {
        "first and second order, exact moments": float(of_exact),
        "second order, Laplace covariance (eq. 10)": float(sum((c * h).sum() for c, h in zip(covariances, blocks)) / 2),
        "its diagonal only": float(sum((np.diag(c) * np.diag(h)).sum() for c, h in zip(covariances, blocks)) / 2),
        "least variance (the bound)": float(factor * np.trace(in_mu) / 2),
    }, delta


@torch.no_grad()
def _losses(net: nn.Module, batches: list[hessian.Batch], beta: Tensor, mask: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Mean loss over all images for each of `draws` draws of theta, (draws,)."""
    losses, images = beta.new_zeros(draws), sum(len(y) for _, y in batches)
    for draw in range(draws):
        theta = dirichlet.sample(beta, mask, generator)
        for x, y in batches:
            losses[draw] += len(y) / images * F.cross_entropy(net(x, theta), y)
    return losses
