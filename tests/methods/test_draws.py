"""What makes each method itself: its draw and its gradient, against closed forms, enumeration and explicit loops."""

import itertools

import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.config.method_presets import METHODS, options
from drnas_lib.methods import method_class
from drnas_lib.methods.candidates import RSPS
from drnas_lib.methods.darts import DARTS
from drnas_lib.methods.dsnas import DSNAS, _Drawn
from drnas_lib.methods.gumbel import GDAS, SNAS, gumbel
from drnas_lib.methods.pc_darts import PCDARTS
from drnas_lib.runs.seeds import build_seeded
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]
TARGETS = tuple(target for _, target in SPACE.edges)


def variables(shape=SPACE.shape, scale=1.0):
    made = ArchVariables(shape, torch.Generator().manual_seed(0), torch.float64)
    with torch.no_grad():
        made.eta.copy_(scale * torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    return made


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_darts_mixes_by_softmax_over_what_is_kept():
    v = variables()
    v.prune_(3)
    theta = DARTS(v).sample(None)
    for edge, kept, row in zip(v.eta[0], v.mask[0], theta[0]):
        expected = edge[kept].exp() / edge[kept].exp().sum()
        torch.testing.assert_close(row[kept], expected)
        assert (row[~kept] == 0).all()


def test_gumbel_noise_has_its_distribution():
    noise = gumbel(torch.empty(20_000, dtype=torch.float64), generator())
    assert stats.kstest(noise.numpy(), "gumbel_r").pvalue > 0.01


@pytest.mark.parametrize("tau", [10.0, 1.0, 0.1])
def test_snas_draw_is_the_softened_gumbel_maximum(tau):
    v = variables()
    method = SNAS(v, tau, tau)
    method.begin_epoch(0, 1)
    theta = method.sample(generator(3))
    noise = -torch.empty_like(v.eta).exponential_(generator=generator(3)).log()
    score = (v.eta.log_softmax(-1) + noise) / tau
    torch.testing.assert_close(theta, score.exp() / score.exp().sum(-1, keepdim=True))
    assert theta.requires_grad and (theta > 0).all()


def test_the_temperature_goes_in_a_line_and_is_saved():
    method = SNAS(variables(), 10.0, 1.0)
    seen = []
    for epoch in range(4):
        method.begin_epoch(epoch, 4)
        seen.append(float(method.tau))
    assert seen == pytest.approx([10, 7, 4, 1])
    other = SNAS(variables(), 10.0, 1.0)
    other.load_state_dict(method.state_dict())
    assert float(other.tau) == 1.0


@pytest.mark.parametrize(
    ("name", "protocol", "epochs", "first", "last"),
    [
        ("gdas", "paper", 250, 10.0, 0.1),  # 10 - 9.9 e / 249
        ("snas", "paper", 150, 1 - 0.97 / 150, 0.03),  # the step comes before the epoch
        ("gdas", "released", 100, 10.0, 1.09),  # -0.09 after each of 100 epochs
        ("snas", "released", 100, 10.0, 1.09),
    ],
)
def test_the_published_temperatures(name, protocol, epochs, first, last):
    method = method_class(name)(variables(), **options(name, protocol))
    seen = []
    for epoch in (0, epochs - 1):
        method.begin_epoch(epoch, epochs)
        seen.append(float(method.tau))
    assert seen == pytest.approx([first, last])


def test_colder_draws_are_sharper():
    v, sharpness = variables(scale=0.1), []
    for tau in (10.0, 1.0, 0.1):
        method = SNAS(v, tau, tau)
        sharpness.append(float(torch.stack([method.sample(generator(s)).detach().amax(-1).mean() for s in range(50)]).mean()))
    assert sharpness == sorted(sharpness) and sharpness[0] < 0.25 and sharpness[2] > 0.9


def test_gdas_is_one_hot_with_the_gradient_of_the_softened_draw():
    v = variables()
    gdas, snas = GDAS(v, 2.0, 2.0), SNAS(v, 2.0, 2.0)
    hard, soft = gdas.sample(generator(5)), snas.sample(generator(5))
    assert torch.equal(hard, F.one_hot(soft.argmax(-1), 5).double())
    direction = torch.randn(hard.shape, dtype=torch.float64, generator=generator(6))
    (ours,) = torch.autograd.grad((hard * direction).sum(), v.eta)
    (expected,) = torch.autograd.grad((soft * direction).sum(), v.eta)
    torch.testing.assert_close(ours, expected)
    assert ours.abs().max() > 1e-3


def test_gdas_and_dsnas_choose_with_the_probabilities_of_softmax():
    v = variables((1, 1, 5))
    p = v.eta.softmax(-1).flatten().detach().numpy()
    for method in (GDAS(v, 1.0, 1.0), DSNAS(v)):
        stream = generator(7)
        counts = sum(method.sample(stream).detach() for _ in range(4000)).flatten().numpy()
        assert stats.chisquare(counts, p * 4000).pvalue > 0.01, type(method)


def polynomial(z, coefficients):
    """A loss affine in the one-hot row of each edge, with products between the edges, as the value of a cell is."""
    first, second, third = (z[0, e] @ coefficients[e] for e in range(3))
    return first * second + second * third + first * second * third + third


def test_dsnas_estimator_has_the_exact_gradient_as_its_mean():
    """All 5^3 choices of three edges: the estimator, weighted by their probabilities, against the gradient of the expected loss."""
    v = variables((1, 3, 5))
    coefficients = torch.randn(3, 5, dtype=torch.float64, generator=generator(2))
    cells = list(itertools.product(range(5), repeat=3))

    p = v.eta.softmax(-1)[0]
    expected_loss = sum(
        p[0, a] * p[1, b] * p[2, c] * polynomial(F.one_hot(torch.tensor([[a, b, c]]), 5).double(), coefficients) for a, b, c in cells
    )
    (exact,) = torch.autograd.grad(expected_loss, v.eta)

    mean = torch.zeros_like(exact)
    for cell in cells:
        drawn = _Drawn.apply(v.eta, torch.tensor([cell]))
        (estimate,) = torch.autograd.grad(polynomial(drawn, coefficients), v.eta)
        mean += p.detach()[range(3), list(cell)].prod() * estimate
    torch.testing.assert_close(mean, exact)

    method, stream = DSNAS(v), generator(3)
    drawn = [torch.autograd.grad(polynomial(method.sample(stream), coefficients), v.eta)[0] for _ in range(3000)]
    error = torch.stack(drawn).std(0) / 3000**0.5
    assert ((torch.stack(drawn).mean(0) - exact).abs() < 5 * error + 1e-12).all()


def test_rsps_chooses_uniformly():
    method, stream = RSPS(variables(), 10, 2, 32), generator(4)
    counts = sum(method.sample(stream) for _ in range(3000))[0]
    assert stats.chisquare(counts.flatten().numpy()).pvalue > 0.01
    assert (method.mean() == 0.2).all()
    assert not method.sample(stream).requires_grad


def test_pc_darts_edge_weights_are_softmax_over_the_edges_into_a_node():
    method = PCDARTS(variables())
    with torch.no_grad():
        method.edge_eta.copy_(torch.randn(1, 6, dtype=torch.float64, generator=generator(1)))
    weights = method.edge_weights()[0]
    for node in (1, 2, 3):
        into = [e for e, target in enumerate(TARGETS) if target == node]
        torch.testing.assert_close(weights[into], method.edge_eta[0, into].softmax(0))
    theta = method.sample(None)
    torch.testing.assert_close(theta[..., :-1], method.variables.eta.softmax(-1))
    torch.testing.assert_close(theta[0, :, -1], weights)


def test_pc_darts_derives_by_the_product_of_both():
    method = PCDARTS(variables())
    with torch.no_grad():
        method.edge_eta.copy_(torch.arange(6.0)[None])
    expected = method.variables.eta.softmax(-1) * method.edge_weights()[..., None]
    torch.testing.assert_close(method.scores(), expected)
    with torch.no_grad():
        method.variables.eta[..., 0] = 9.0  # none is the best everywhere
    assert set(SPACE.genotype(method.scores()).operations) == {"none"}
    without = PCDARTS(method.variables, none_in_cell=False)
    assert "none" not in SPACE.genotype(without.scores()).operations


@pytest.mark.parametrize(("protocol", "allowed"), [("paper", False), ("released", True)])
def test_pc_darts_derives_none_in_the_released_code_alone(protocol, allowed):
    """The authors' genotype() passes over 'none'; DrNAS' code does not."""
    method = method_class("pc_darts")(variables(), **options("pc_darts", protocol))
    with torch.no_grad():
        method.variables.eta[..., 0] = 9.0
        method.variables.eta[..., 3] = 5.0
    assert set(SPACE.genotype(method.scores()).operations) == {"none" if allowed else "nor_conv_3x3"}


def test_the_edges_of_pc_darts_start_at_a_thousandth_of_normal_noise():
    shape = 1, 400, 2
    made = ArchVariables(shape, torch.Generator().manual_seed(0), torch.float64)
    drawn = [build_seeded(seed, lambda: PCDARTS(made)).edge_eta.detach().flatten() for seed in (0, 0, 1)]
    assert stats.kstest((drawn[0] / 1e-3).numpy(), "norm").pvalue > 0.01
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    of_eta = made.eta.detach().flatten()[:400]
    assert abs(float(torch.corrcoef(torch.stack([drawn[0], of_eta]))[0, 1])) < 0.15, "a stream of its own"


def test_pc_darts_without_edge_normalisation_is_darts_on_part_of_the_channels():
    method = PCDARTS(variables(), edge_normalisation=False)
    assert (method.sample(None)[..., -1] == 1).all() and len(method.arch_parameters()) == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_row_names_a_class_that_draws_for_every_edge(name):
    method = method_class(name)(variables(), **options(name, "paper"))
    theta = method.sample(generator())
    assert theta.shape[:2] == (1, 6) and theta.shape[2] in (5, 6)
    torch.testing.assert_close(theta[..., :5].sum(-1), torch.ones(1, 6, dtype=torch.float64))
    assert method.mean().shape == method.scores().shape == SPACE.shape
