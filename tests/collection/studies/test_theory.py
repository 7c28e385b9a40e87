"""Theory: formulas against numerical integration, PyTorch's distributions and a loss with a known answer."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from drnas_lib.collection.studies import theory
from drnas_lib.collection.studies.config import TheoryConfig
from drnas_lib.runs.files import PROJECT, RunFolder, read_json
from drnas_lib.search.run import run


def test_eq_3_of_two_operations_is_the_beta_quantile():
    """theta_1 = F^-1(u | b, c) at a fixed u, so d theta_1 / d b is a difference of quantiles."""
    beta, theta, h = np.array([0.7, 2.5]), np.array([0.3, 0.7]), 1e-6
    u = stats.beta.cdf(0.3, *beta)
    want = (stats.beta.ppf(u, beta[0] + h, beta[1]) - stats.beta.ppf(u, beta[0] - h, beta[1])) / (2 * h)
    found = theory.implicit_gradient(theta, beta)
    assert found[0, 0] == pytest.approx(want, rel=1e-5) and found.sum(0) == pytest.approx([0, 0], abs=1e-12)


def test_the_search_s_gradient_is_eq_3():
    table = theory.gradient_check(60, seed=0)
    assert len(table) > 30 and table.error.median() < 1e-3 and table.error.max() < 2e-2  # PyTorch's routine is an approximation


def test_the_mean_of_the_gradient_is_the_gradient_of_the_mean():
    beta, generator = np.array([0.8, 1.5, 3.0]), torch.Generator().manual_seed(0)
    found = np.mean([theory.pathwise_gradient(beta, generator)[1] for _ in range(4000)], axis=0)
    total = beta.sum()
    np.testing.assert_allclose(found, np.eye(3) / total - beta[:, None] / total**2, atol=6e-3)


def test_exact_moments_by_integration():
    """Two operations: log theta - mean is half the logit of a Beta draw."""
    beta = np.array([1.3, 2.2])
    mean, covariance = theory.exact_moments(beta)
    half = lambda p: 0.5 * np.log(p / (1 - p))
    first = integrate.quad(lambda p: half(p) * stats.beta.pdf(p, *beta), 0, 1)[0]
    second = integrate.quad(lambda p: half(p) ** 2 * stats.beta.pdf(p, *beta), 0, 1)[0]
    assert mean[0] == pytest.approx(first, abs=1e-8) and covariance[0, 0] == pytest.approx(second - first**2, abs=1e-8)


def test_the_approximation_is_exact_for_large_concentrations_and_short_at_the_anchor():
    beta = np.array([300.0, 500.0, 400.0])
    for ours, exact in zip(theory.laplace(beta), theory.exact_moments(beta)):
        np.testing.assert_allclose(ours, exact, rtol=5e-3, atol=2e-3)
    at_anchor = theory.laplace(np.ones(5))[1][0, 0] / theory.exact_moments(np.ones(5))[1][0, 0]
    assert at_anchor == pytest.approx(6 / np.pi**2)
    table = theory.laplace_check([1.0], 100_000, seed=0).set_index("way").variance
    assert table["Monte Carlo"] == pytest.approx(table["exact"], rel=0.02)


def test_kl_starts_as_its_fisher_form_and_is_pytorch_s():
    table = theory.kl_against_l2(np.array([-0.01, 0.01, 2.0]))
    near = table[table.eta.abs() < 0.1]
    np.testing.assert_allclose(near.kl_nats, near.local, rtol=0.05)
    beta = torch.tensor([3.0, 1, 1, 1, 1], dtype=torch.float64)
    kl = torch.distributions.kl_divergence(torch.distributions.Dirichlet(beta), torch.distributions.Dirichlet(torch.ones_like(beta)))
    far = table[(table.eta == 2.0) & (table.direction == "one operation")]
    assert far.kl_nats.item() == pytest.approx(float(kl), rel=1e-9)


def test_second_order_terms_of_a_known_hessian():
    """H = I at the anchor: half the trace of the covariance, O - 1 on each edge, and the proposition's, which delta = 0 attains."""
    steps, delta = theory.second_order(np.zeros(10), np.eye(10), np.ones((2, 5)))
    assert delta == 0.0
    assert steps["second order, Laplace covariance (eq. 10)"] == pytest.approx(4.0)
    assert steps["its diagonal only"] == pytest.approx(4.0) == steps["least variance (the bound)"]
    shrunk, delta = theory.second_order(np.zeros(10), np.eye(10), np.full((2, 5), 1.5))
    assert shrunk["least variance (the bound)"] < shrunk["its diagonal only"]


def test_the_right_side_is_the_formula_that_the_notebook_shows():
    """L(μ) + ½ (1/(1+δ)) ((1 - 2/|O|) + 1/|O|) tr ∇²_μ L, δ of the edge that is farthest from the anchor."""
    beta, diagonal = np.array([[1.0, 1.0, 1.0, 1.0], [1.3, 1.0, 0.6, 1.0]]), np.arange(8.0)
    hessian = np.diag(diagonal) + 0.1  # what is off the diagonal has no part in the trace
    steps, delta = theory.second_order(np.ones(8), hessian, beta)
    assert delta == pytest.approx(0.5)
    assert steps["least variance (the bound)"] == pytest.approx(0.5 * (1 / 1.5) * ((1 - 2 / 4) + 1 / 4) * (28 + 0.8))
    shown = (PROJECT / "notebooks" / "theory.ipynb").read_text(encoding="utf-8")
    assert "L(μ) + ½ · (1/(1 + δ)) · ((1 − 2/|O|) + 1/|O|) · tr ∇²_μ L" in shown


def test_both_sides_on_a_trained_run(settings):
    these = settings(epochs=[2], snapshots=2)
    list(run(these))
    bound = theory.evaluate(these.folder, TheoryConfig(run=these.folder, draws=20, images=64, device="cpu"))
    assert bound.epoch == 2 and bound.draws == 20 and bound.images == 64 and 0 < bound.expected_error < 1
    assert bound.trace == pytest.approx(theory.evaluate(these.folder, TheoryConfig(images=64, draws=2)).trace)
    assert "premise" in bound.sentences() and len(bound.table()) == 6
    kept = read_json(RunFolder(these.folder).file("proposition.json"))
    assert kept["bound"]["delta"] == pytest.approx(bound.delta)


def test_a_small_spread_makes_the_expansion_exact():
    """A quadratic loss in mu: first and second moments are all that matter, whatever the distribution."""
    rng, beta = np.random.default_rng(0), np.array([[40.0, 60.0, 50.0]])
    a = rng.normal(size=(3, 3))
    h = a @ a.T
    mean, _ = theory.laplace(beta[0])
    logs = np.log(rng.dirichlet(beta[0], 200_000))
    steps = logs - logs.mean(1, keepdims=True) - mean
    slope = rng.normal(size=3)
    monte_carlo = (steps @ slope).mean() + 0.5 * np.einsum("ni,ij,nj->n", steps, h, steps).mean()
    assert theory.second_order(slope, h, beta)[0]["first and second order, exact moments"] == pytest.approx(monte_carlo, rel=0.02)
