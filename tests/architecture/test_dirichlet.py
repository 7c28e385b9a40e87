"""drnas_lib.architecture.dirichlet against SciPy and closed forms."""

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_law

from drnas_lib.architecture import dirichlet
from drnas_lib.architecture.regulariser import REGULARISERS
from drnas_lib.architecture.variables import ArchVariables

SHAPE = (1, 6, 5)


def index_of(mask):
    return dirichlet.kept_index(mask)


def test_pathwise_gradient_is_equation_3():
    """d theta_j / d beta_i = -(dF/d beta_i)(theta_i) / f(theta_i) * (1 if i = j else -theta_j / (1 - theta_i)).

    F and f belong to Beta(beta_i, beta_0 - beta_i), the law of theta_i.
    """
    concentration = torch.tensor([[[0.6, 1.3, 2.0, 0.9, 1.1]]], dtype=torch.float64, requires_grad=True)
    mask = torch.ones(1, 1, 5, dtype=torch.bool)
    theta = dirichlet.sample(concentration, index_of(mask), torch.Generator().manual_seed(3))
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
    theta = dirichlet.sample(concentration, index_of(torch.ones(1, count, 5, dtype=torch.bool)), torch.Generator().manual_seed(0))
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
    beta = torch.tensor([0.5, 7.0, 2.0, 3.0, 1.0]).expand(1, 50_000, 5).clone().requires_grad_()
    theta = dirichlet.sample(beta, index_of(mask), torch.Generator().manual_seed(0))
    assert torch.equal(theta[..., [1, 3]], torch.zeros(1, 50_000, 2))
    assert torch.allclose(theta.sum(-1), torch.ones(1, 50_000))
    assert torch.allclose(theta.mean((0, 1)), torch.tensor([0.5, 0, 2, 0, 1]) / 3.5, atol=5e-3)
    (gradient,) = torch.autograd.grad(theta[..., 0].sum(), beta)
    assert torch.equal(gradient[..., [1, 3]], torch.zeros(1, 50_000, 2))


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


def test_concentration_is_one_at_the_anchor():
    eta = torch.tensor([-30.0, -1.0, 0.0, 2.0])
    expected = torch.tensor([np.exp(-30), np.exp(-1), 1.0, 3.0], dtype=torch.float32)
    assert torch.allclose(dirichlet.concentration(eta), expected, rtol=1e-5, atol=1e-7)


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
    with pytest.raises(ValueError, match="cannot keep 3 operations"):
        variables.prune_(3)


def test_regularisers_by_hand():
    eta, mask = torch.tensor([[[3.0, 4.0, 9.0]]]), torch.tensor([[[True, True, False]]])
    assert REGULARISERS["adam_decay"](0.5).decay == 0.5 and REGULARISERS["adam_decay"](0.5).penalty is None
    assert REGULARISERS["penalty"](0.5).penalty(eta, mask).item() == pytest.approx(2.5)
    kept = torch.distributions.Dirichlet(torch.tensor([4.0, 5.0]))
    exact = torch.distributions.kl_divergence(kept, torch.distributions.Dirichlet(torch.ones(2)))
    assert REGULARISERS["kl"](0.5).penalty(eta, mask).item() == pytest.approx(0.5 * exact.item(), rel=1e-5)
