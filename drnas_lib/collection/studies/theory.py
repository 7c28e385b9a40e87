"""The paper's theory in numbers: the pathwise gradient (eq. 3), the Laplace approximation (eq. 10), A.5 and Proposition 1.

Formulas are held against independent arithmetic, where beta is a vector (O,): one edge. The proposition is held against a trained supernet.
With L~(mu) = L(softmax(mu)), H its Hessian at the Laplace mean mu, and ||beta - 1|| <= delta on every edge, it says: if H is positive
semi-definite, E_theta[L(theta)] is bounded from below, approximately, by L~(mu) + (1/2) (1 / (1 + delta)) ((1 - 2/O) + 1/O) tr(H). It
expands the loss to second order, reduces Sigma to its diagonal, and replaces every variance by the smallest that delta allows.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.architecture import dirichlet
from drnas_lib.collection.studies import hessian
from drnas_lib.collection.studies.config import TheoryConfig
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.files import environment, write_json
from drnas_lib.search.finished_search import FinishedSearch

BATCH = 64


def implicit_gradient(theta: np.ndarray, beta: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """d theta_i / d beta_j (O, O) by eq. 3, in float64.

    = -(dF/db)(theta_j | b, c) / f(theta_j | b, c) * (delta_ij - theta_i) / (1 - theta_j) at b = beta_j and c = the sum of the others, with
    F and f the distribution and density of Beta(b, c); its derivative in b is a central difference of SciPy's F.
    """
    rest, h = beta.sum() - beta, step * np.maximum(beta, 1e-2)
    slope = (stats.beta.cdf(theta, beta + h, rest) - stats.beta.cdf(theta, beta - h, rest)) / (2 * h)
    rate = -slope / stats.beta.pdf(theta, beta, rest) / (1.0 - theta)  # O, by j
    return rate[None, :] * (np.eye(len(beta)) - theta[:, None])


def pathwise_gradient(beta: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A draw theta (O,) of the search's sampler in float64, and its d theta_i / d beta_j (O, O) by automatic differentiation."""
    leaf = torch.from_numpy(beta).view(1, 1, -1).requires_grad_()
    theta = dirichlet.sample(leaf, torch.ones_like(leaf, dtype=torch.bool), generator)
    rows = [torch.autograd.grad(theta[0, 0, i], leaf, retain_graph=True)[0].flatten() for i in range(len(beta))]
    return theta.detach().numpy().ravel(), torch.stack(rows).numpy()


def gradient_check(draws: int, seed: int, operations: int = 5) -> pd.DataFrame:
    """Compare both gradients for beta between 0.2 and 20. Columns: beta_min, beta_max, error = ||ours - eq. 3|| / ||eq. 3||."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    rows = []
    for _ in range(draws):
        beta = np.exp(rng.uniform(np.log(0.2), np.log(20.0), operations))
        theta, ours = pathwise_gradient(beta, generator)
        if theta.min() >= 1e-6:  # nearer to 0 the difference of the distribution function has no digits left
            want = implicit_gradient(theta, beta)
            rows.append({"beta_min": beta.min(), "beta_max": beta.max(), "error": np.linalg.norm(ours - want) / np.linalg.norm(want)})
    return pd.DataFrame(rows)


def laplace(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean mu (O,) and covariance Sigma (O, O) of the Laplace approximation in the softmax basis (eq. 10).

    mu_k = log beta_k - mean log beta; Sigma_kl = delta_kl / beta_k - (1 / beta_k + 1 / beta_l) / O + sum(1 / beta) / O^2, of which
    the paper uses the diagonal.
    """
    return _centred(np.log(beta), 1.0 / beta)


def exact_moments(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of log theta - mean(log theta), theta ~ Dir(beta): digamma instead of log, trigamma instead of the inverse."""
    return _centred(special.digamma(beta), special.polygamma(1, beta))


def _centred(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (O,) and covariance (O, O) of x - mean(x), where the entries of x are independent with these moments."""
    count, pairs = len(mean), variance[:, None] + variance[None, :]
    return mean - mean.mean(), np.diag(variance) - pairs / count + variance.sum() / count**2


def laplace_check(levels: list[float], draws: int, seed: int, operations: int = 5) -> pd.DataFrame:
    """Moments of the first operation at beta = (2 b, b, ..., b), for each level b computed in three ways.

    Columns: beta, way ("Laplace", "Monte Carlo", "exact"), mean (nats), variance (nats²), in the softmax basis.
    """
    rng, rows = np.random.default_rng(seed), []
    for level in levels:
        beta = np.full(operations, level)
        beta[0] = 2 * level
        logs = np.log(rng.standard_gamma(beta + 1.0, (draws, operations))) + np.log1p(-rng.random((draws, operations))) / beta
        logs -= logs.mean(1, keepdims=True)
        ways = {"Laplace": laplace(beta), "Monte Carlo": (logs.mean(0), np.cov(logs.T)), "exact": exact_moments(beta)}
        rows += [{"beta": level, "way": way, "mean": mean[0], "variance": cov[0, 0]} for way, (mean, cov) in ways.items()]
    return pd.DataFrame(rows)


def kl_against_l2(etas: np.ndarray, operations: int = 5) -> pd.DataFrame:
    """KL(Dir(beta) || Dir(1)) beside eta^2 / 2 for one edge, where one eta changes or all change equally.

    Columns: direction, eta, kl_nats, l2 (half the squared norm), local (eta F eta / 2, the quadratic form of the KL divergence at the
    anchor, with the Fisher information F = diag(trigamma(1)) - trigamma(O) of Dir(1)).
    """
    fisher = np.diag(np.full(operations, special.polygamma(1, 1))) - special.polygamma(1, operations)
    rows = []
    for direction, axis in (("one operation", np.eye(operations)[0]), ("all operations", np.ones(operations))):
        for eta in etas:
            moved = torch.from_numpy(eta * axis).view(1, 1, -1)
            kl = dirichlet.kl_to_flat(dirichlet.concentration(moved), torch.ones_like(moved, dtype=torch.bool))
            quadratic = {"l2": eta**2 * (axis @ axis) / 2, "local": eta**2 * (axis @ fisher @ axis) / 2}
            rows.append({"direction": direction, "eta": eta, "kl_nats": float(kl)} | quadratic)
    return pd.DataFrame(rows)


def gradient_sentence(table: pd.DataFrame) -> str:
    """The difference between eq. 3 and the search's sampler."""
    return (
        f"**Over {len(table)} draws with β between {table.beta_min.min():.2f} and {table.beta_max.max():.1f}, the gradient that the search "
        f"uses differs from eq. 3 by {table.error.median():.1e} in the median and {table.error.max():.1e} at most, relative to the norm.**"
    )


def laplace_sentence(table: pd.DataFrame) -> str:
    """Where the Laplace approximation holds."""
    wide = table.pivot(index="beta", columns="way", values="variance")
    ratio = wide["Laplace"] / wide["exact"]
    nearest = (wide.index.to_series() - 1.0).abs().idxmin()
    noise = (wide["Monte Carlo"] / wide["exact"] - 1).abs().max()
    return (
        f"**The Laplace approximation gives {100 * ratio[nearest]:.0f} % of the exact variance at β ≈ {nearest:g}, near where every search "
        f"starts, {100 * ratio.iloc[-1]:.0f} % at β ≈ {wide.index.max():g} and {100 * ratio.iloc[0]:.0f} % at β ≈ {wide.index.min():g}. "
        f"Monte Carlo agrees with the exact variances within {100 * noise:.1f} %.**"
    )


def kl_sentence(table: pd.DataFrame) -> str:
    """The ratio of the two penalties near η = 0 and far from it."""
    one = table[table.direction == "one operation"].set_index("eta")
    near, high, low = (one.iloc[(one.index.to_series() - at).abs().argmin()] for at in (0.2, one.index.max(), one.index.min()))
    ratio = {row.name: row.kl_nats / row.l2 for row in (near, high, low)}
    return (
        f"**Near η = 0 (β = 1) both are quadratic, and at η = {near.name:.1f} KL is {ratio[near.name]:.2f} times the l2 penalty. It is "
        f"{ratio[high.name]:.2f} times the l2 penalty at η = {high.name:.0f} and {ratio[low.name]:.2f} times at η = {low.name:.0f}: KL "
        f"pulls harder than l2 where β is {'below' if ratio[low.name] > ratio[high.name] else 'above'} 1. The paper (A.5) names KL as the "
        "alternative and finds the l2 penalty good enough.**"
    )


@dataclass(frozen=True)
class Bound:
    """All values in nats of mean cross-entropy over the same images; the eigenvalues are those of the Hessian in mu.

    `expected` ± `expected_error` (standard error) is the left side; `at_mean` + the last of `steps` (second_order) is the right side.
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

    def table(self) -> pd.DataFrame:
        """Both sides and the steps in between, and how far each is from the left side."""
        rows = {"left side: E over θ, Monte Carlo": self.expected, "loss at the mean, θ = softmax(μ)": self.at_mean}
        rows |= {f"+ {name}": self.at_mean + step for name, step in self.steps.items()}
        return pd.DataFrame({"loss_nats": rows}).assign(minus_left_side=lambda t: t.loss_nats - self.expected)

    def sentences(self) -> str:
        """Whether premise and bound hold, in two sentences."""
        premise = "holds" if self.least >= -1e-8 * self.largest else "fails"  # but for rounding: every edge has an exactly flat direction
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
    """The bound at the last snapshot of a run, in float64; writes proposition.json. Raises RecordError, SnapshotError, HessianError."""
    run, device, dtype = FinishedSearch.read(path), choose(config.device), torch.float64
    if run.settings["method"] != "drnas":
        raise hessian.HessianError(f"method={run.settings['method']!r} of this run: it has no Dirichlet distribution. Allowed is drnas.")
    variable = hessian.find_variable("drnas", "mu")
    snapshot = run.snapshot(run.snapshots()[-1], device)
    with reproducible(device):
        net = run.network(snapshot, config.normalisation == "batch", dtype, device)
        batches = run.validation(config.images, min(BATCH, config.images), dtype, device)
        eta, mask = snapshot.eta.double(), snapshot.mask
        theta = variable.theta(variable.start(eta, mask), mask)
        loss, gradient, in_theta = hessian.in_theta(net, batches, theta, mask)
        slope, in_mu = hessian.pull_back(variable, eta, mask, gradient, in_theta)
        beta = dirichlet.concentration(eta)
        draws = _losses(net, batches, beta, mask, config.draws, torch.Generator(device).manual_seed(config.seed))
    concentrations = beta[mask].view(-1, int(mask.sum(-1).max()))
    steps, delta = second_order(*(values.cpu().numpy() for values in (slope, in_mu, concentrations)))
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
    covariances = [laplace(row)[1] for row in beta]
    exact = [exact_moments(row) for row in beta]
    shift = np.concatenate([mean - laplace(row)[0] for (mean, _), row in zip(exact, beta)])
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
