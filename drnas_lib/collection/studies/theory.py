"""The paper's formulas against independent arithmetic: the pathwise gradient (eq. 3), the Laplace approximation (eq. 10), A.5.

Here beta is a vector (O,): one edge. Nothing here trains or reads a network; the bound of Proposition 1 is in proposition.py.
"""

import numpy as np
import pandas as pd
import torch
from scipy import special, stats

from drnas_lib.architecture import dirichlet


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


def monte_carlo_moments(beta: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same moments, estimated from `draws` draws."""
    logs = np.log(rng.standard_gamma(beta + 1.0, (draws, len(beta)))) + np.log1p(-rng.random((draws, len(beta)))) / beta
    logs -= logs.mean(1, keepdims=True)
    return logs.mean(0), np.cov(logs.T)


def laplace_check(levels: list[float], draws: int, seed: int, operations: int = 5) -> pd.DataFrame:
    """Moments of the first operation at beta = (2 b, b, ..., b), for each level b computed in three ways.

    Columns: beta, way ("Laplace", "Monte Carlo", "exact"), mean (nats), variance (nats²), in the softmax basis.
    """
    rng, rows = np.random.default_rng(seed), []
    for level in levels:
        beta = np.full(operations, level)
        beta[0] = 2 * level
        ways = {"Laplace": laplace(beta), "Monte Carlo": monte_carlo_moments(beta, draws, rng), "exact": exact_moments(beta)}
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
        f"**At β ≈ {nearest:g}, where every search starts, the Laplace approximation gives {100 * ratio[nearest]:.0f} % of the exact "
        f"variance, at β ≈ {wide.index.max():g} {100 * ratio.iloc[-1]:.0f} %, at β ≈ {wide.index.min():g} {100 * ratio.iloc[0]:.0f} %. "
        f"Monte Carlo agrees with the exact moments within {100 * noise:.1f} %.**"
    )


def kl_sentence(table: pd.DataFrame) -> str:
    """The ratio of the two penalties near and far from the anchor."""
    one = table[table.direction == "one operation"].set_index("eta")
    near, high, low = (one.iloc[(one.index.to_series() - at).abs().argmin()] for at in (0.2, one.index.max(), one.index.min()))
    ratio = {row.name: row.kl_nats / row.l2 for row in (near, high, low)}
    return (
        f"**Near the anchor both are quadratic, with KL {ratio[near.name]:.2f} times the l2 penalty at η = {near.name:.1f}; at "
        f"η = {high.name:.0f} it is {ratio[high.name]:.2f} and at η = {low.name:.0f} {ratio[low.name]:.2f} times, so beside l2 it holds "
        f"β back harder {'below' if ratio[low.name] > ratio[high.name] else 'above'} 1. The paper (A.5) names KL as the alternative "
        "and finds the l2 penalty good enough.**"
    )
