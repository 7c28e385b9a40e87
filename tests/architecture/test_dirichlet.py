"""drnas_lib.architecture.dirichlet against SciPy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_law

from drnas_lib.architecture import dirichlet
from drnas_lib.architecture.regulariser import REGULARISERS
from drnas_lib.architecture.variables import ArchVariables

SHAPE = (1, 6, 5)


def test_pathwise_gradient_is_equation_3():
    """d theta_j / d beta_i = -(dF/d beta_i)(theta_i) / f(theta_i) * (1 if i = j else -theta_j / (1 - theta_i)).

    F and f belong to Beta(beta_i, beta_0 - beta_i), the law of theta_i.
    """
    concentration = torch.tensor([[[0.6, 1.3, 2.0, 0.9, 1.1]]], dtype=torch.float64, requires_grad=True)
    mask = torch.ones(1, 1, 5, dtype=torch.bool)
    theta = dirichlet.sample(concentration, mask, torch.Generator().manual_seed(3))
    values, beta, step = theta.detach().numpy().ravel(), concentration.detach().numpy().ravel(), 1e-5
    for j in range(5):
        (ours,) = torch.autograd.grad(theta[0, 0, j], concentration, retain_graph=True)
        for i in range(5):
            others = beta.sum() - beta[i]
            slope = (beta_law.cdf(values[i], beta[i] + step, others) - beta_law.cdf(values[i], beta[i] - step, others)) / (2 * step)
            expected = -slope / beta_law.pdf(values[i], beta[i], others) * ((i == j) - values[j] * (i != j) / (1 - values[i]))
            assert ours[0, 0, i].item() == pytest.approx(expected, rel=2e-4, abs=1e-7)


def test_moments_of_the_sample_and_their_gradient():
    beta = torch.tensor([0.5, 1.0, 2.5, 1.5, 0.8], dtype=torch.float64)
    count = 200_000
    concentration = beta.expand(1, count, 5).clone().requires_grad_()
    theta = dirichlet.sample(concentration, torch.ones(1, count, 5, dtype=torch.bool), torch.Generator().manual_seed(0))
    total = beta.sum()
    mean, variance = beta / total, beta * (total - beta) / (total**2 * (total + 1))
    assert torch.allclose(theta.mean((0, 1)), mean, atol=5 * (variance / count).sqrt().max().item())
    assert torch.allclose(theta.var((0, 1)), variance, rtol=0.02)
    (gradient,) = torch.autograd.grad(theta[..., 2].sum(), concentration)
    exact = ((torch.arange(5) == 2) * total - beta[2]) / total**2  # d E[theta_2] / d beta
    assert torch.allclose(gradient.sum((0, 1)) / count, exact.double(), atol=3e-3)


def test_masked_sample_is_the_dirichlet_of_the_kept():
    mask = torch.zeros(1, 50_000, 5, dtype=torch.bool)
    mask[..., [0, 2, 4]] = True
    beta = torch.tensor([0.5, 7.0, 2.0, 3.0, 1.0], dtype=torch.float64).expand(1, 50_000, 5).clone().requires_grad_()
    theta = dirichlet.sample(beta, mask, torch.Generator().manual_seed(0))
    assert not theta[..., [1, 3]].any()
    assert torch.allclose(theta.sum(-1), torch.ones(()).double())
    assert torch.allclose(theta.mean((0, 1)), torch.tensor([0.5, 0, 2, 0, 1]).double() / 3.5, atol=5e-3)
    (gradient,) = torch.autograd.grad(theta[..., 0].sum(), beta)
    assert not gradient[..., [1, 3]].any()


def test_mean_and_kl_against_torch():
    torch.manual_seed(0)
    beta = torch.rand(SHAPE, dtype=torch.float64) * 3 + 0.1
    mask = torch.rand(SHAPE).argsort(-1) < 3
    ours = dirichlet.kl_to_flat(beta, mask)
    for e in range(6):
        kept = beta[0, e][mask[0, e]]
        law = torch.distributions.Dirichlet(kept)
        exact = torch.distributions.kl_divergence(law, torch.distributions.Dirichlet(torch.ones_like(kept)))
        assert ours[0, e].item() == pytest.approx(exact.item(), rel=1e-10)
        assert torch.allclose(dirichlet.mean(beta, mask)[0, e][mask[0, e]], law.mean)


EXTREMES = (  # eta of one edge
    [-8.0] * 5,
    [-10.0] * 5,
    [-100.0] * 5,
    [-100.0, -99.0, -98.5, -101.0, -99.5],
    [-500.0] * 5,  # below the floor
    [1e6] * 5,
    [1e6, -100.0, 0.0, 3.0, -8.0],
    [-100.0, -100.0, -100.0, -100.0, 1e6],
    [-87.0, -3.0, -3.0, 0.0, 0.5],
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_concentration_and_its_derivative(dtype):
    eta = torch.tensor([-300.0, -100.0, -30.0, -1.0, 0.0, 2.0, 1e6], dtype=dtype, requires_grad=True)
    beta = dirichlet.concentration(eta)
    np.testing.assert_allclose(beta.detach(), [*np.exp([-300.0, -100.0, -30.0, -1.0]), 1.0, 3.0, 1_000_001.0], rtol=1e-14)
    (slope,) = torch.autograd.grad(beta.sum(), eta)
    np.testing.assert_allclose(slope[1:], [*np.exp([-100.0, -30.0, -1.0]), 1.0, 1.0, 1.0], rtol=1e-6, atol=1e-44)
    assert dirichlet.concentration(torch.tensor(-1e30)) == np.exp(dirichlet.FLOOR)


def drawn(eta, count, dtype=torch.float32):
    """eta (1, count, O), `count` draws for it, beta and mask."""
    eta = torch.tensor(eta, dtype=dtype).expand(1, count, len(eta)).clone().requires_grad_()
    mask, beta = torch.ones(eta.shape, dtype=torch.bool), dirichlet.concentration(eta)
    return eta, dirichlet.sample(beta, mask, torch.Generator().manual_seed(4)), beta, mask


@pytest.mark.parametrize("row", EXTREMES, ids=str)
def test_draws_their_mean_and_their_gradient_at_the_extremes(row):
    """The mean of the draws is E[theta] = softmax(log beta), however small beta is; nothing ties, nothing is infinite."""
    count = 4000
    eta, theta, beta, mask = drawn(row, count)
    logs = np.where(np.array(row) < 0, np.maximum(row, dirichlet.FLOOR), np.log1p(np.maximum(row, 0)))
    want = np.exp(logs - np.logaddexp.reduce(logs))
    np.testing.assert_allclose(dirichlet.mean(beta, mask)[0, 0].detach(), want, rtol=1e-12)
    np.testing.assert_allclose(theta.detach().mean((0, 1)), want, atol=5 * (want * (1 - want) / count).max() ** 0.5)
    assert torch.allclose(theta.sum(-1), torch.ones(()).double())
    assert (theta.max(-1).values - theta.min(-1).values > 1e-9).all() or min(row) == 1e6, "no draw is uniform"
    (gradient,) = torch.autograd.grad((theta * torch.linspace(-1, 1, 5).double()).sum(), eta)
    assert gradient.isfinite().all() and dirichlet.kl_to_flat(beta, mask).isfinite().all()


@pytest.mark.parametrize(("value", "most"), [(-8.0, 0.03), (-10.0, 0.005), (-100.0, 0.0)])
def test_small_concentrations_give_one_hot_draws(value, most):
    """P(the largest of O is below 1 - 1e-6) goes to 0 with beta, as in the limit of the Dirichlet."""
    _, theta, _, _ = drawn([value] * 5, 4000)
    largest = theta.max(-1).values
    assert (largest < 1 - 1e-6).double().mean() <= most
    assert np.ptp(np.bincount(theta.argmax(-1).flatten(), minlength=5) / 4000) < 0.05


@pytest.mark.parametrize("beta", [1e-40, 1e-3, 0.05, 1.0, 40.0])
def test_a_draw_has_the_law_of_its_beta_distribution(beta):
    """theta_1 ~ Beta(beta_1, the sum of the others)."""
    count, at = 10_000, np.array([1e-300, 1e-100, 1e-10, 0.01, 0.1, 0.3, 0.5, 0.8, 0.99])
    _, theta, of, _ = drawn([float(np.log(beta)) if beta < 1 else beta - 1, -2.0, 0.5], count, torch.float64)
    first, others = of[0, 0, 0].item(), of[0, 0, 1:].sum().item()
    below = (theta.detach().numpy()[0, :, :1] <= at).mean(0)
    np.testing.assert_allclose(below, beta_law.cdf(at, first, others), atol=2 / count**0.5)


@pytest.mark.parametrize("row", [[1e-3, 1e-3, 1e-3], [1e-3, 0.5, 2.0], [1e-5, 1e-4, 1.0], [0.02, 4.0, 20.0]])
def test_the_gradient_of_small_concentrations_is_equation_3(row):
    """d theta_i / d beta_i against differences of SciPy's distribution function, wherever these have digits."""
    beta = torch.tensor(row, dtype=torch.float64).expand(1, 4000, 3).clone().requires_grad_()
    theta = dirichlet.sample(beta, torch.ones(beta.shape, dtype=torch.bool), torch.Generator().manual_seed(1))
    for i, (a, others) in enumerate((a, sum(row) - a) for a in row):
        (ours,) = torch.autograd.grad(theta[..., i].sum(), beta, retain_graph=True)
        at, step = theta[0, :, i].detach().numpy(), 1e-4 * a
        there = (at > 1e-250) & (at < 1 - 1e-4)
        slope = (beta_law.cdf(at[there], a + step, others) - beta_law.cdf(at[there], a - step, others)) / (2 * step)
        want = -slope / beta_law.pdf(at[there], a, others)
        assert there.sum() >= 1
        np.testing.assert_allclose(ours[0, there, i], want, rtol=0.02, atol=1e-6 * np.abs(want).max())


def test_the_gradient_of_the_mean_at_negative_eta():
    """Rare draws carry it; their mean is the derivative of E[theta]."""
    eta, theta, beta, mask = drawn([-4.0, -5.0, -3.0], 300_000, torch.float64)
    (ours,) = torch.autograd.grad(theta[..., 0].sum(), eta, retain_graph=True)
    (want,) = torch.autograd.grad(dirichlet.mean(beta, mask)[..., 0].sum(), eta)
    torch.testing.assert_close(ours.mean((0, 1)), want[0, 0], rtol=0.05, atol=0.01)


def test_prune_keeps_the_largest_and_excludes_the_pruned():
    variables = ArchVariables(SHAPE, torch.Generator().manual_seed(0))
    with torch.no_grad():
        variables.eta[:] = torch.tensor([0.1, -0.5, 0.3, 0.2, 0.0])
    variables.prune_(3)
    assert variables.mask[0].tolist() == [[True, False, True, True, False]] * 6
    assert torch.equal(variables.eta[~variables.mask], torch.zeros(12))
    with torch.no_grad():
        variables.eta[variables.mask] -= 5  # below the dropped ones' zero
    variables.prune_(2)
    assert variables.mask[0].tolist() == [[False, False, True, True, False]] * 6


def test_regularisers_by_hand():
    eta, mask = torch.tensor([[[3.0, 4.0, 9.0]]]), torch.tensor([[[True, True, False]]])
    assert REGULARISERS["adam_decay"](0.5).decay == 0.5 and REGULARISERS["adam_decay"](0.5).penalty is None
    assert REGULARISERS["penalty"](0.5).penalty(eta, mask).item() == pytest.approx(2.5)
    kept = torch.distributions.Dirichlet(torch.tensor([4.0, 5.0]))
    exact = torch.distributions.kl_divergence(kept, torch.distributions.Dirichlet(torch.ones(2)))
    assert REGULARISERS["kl"](0.5).penalty(eta, mask).item() == pytest.approx(0.5 * exact.item(), rel=1e-5)
