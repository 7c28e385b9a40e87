"""drnas_lib.search.bilevel: each step moves what it should, and the unrolled gradient is the exact one."""

import torch
from torch.func import functional_call
from torch.nn import functional as F

from drnas_lib.architecture.regulariser import REGULARISERS
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods import method_class
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.search import bilevel
from drnas_lib.search.bilevel import SearchStep
from drnas_lib.search.optimisers import Adam, Sgd
from drnas_lib.spaces import SPACES
from tests.nets.plain import PlainSuperNet

SPACE = SPACES["nb201"]


class Softmax:
    """A deterministic stand-in for a method, so that the exact gradient can be written down."""

    def __init__(self, variables):
        self.variables = variables

    def sample(self, generator):
        return self.variables.eta.softmax(-1)


def make(net, second_order=False, method=None, dtype=torch.float64):
    variables = ArchVariables(SPACE.shape, torch.Generator().manual_seed(0), dtype)
    with torch.no_grad():
        variables.eta.copy_(torch.randn(SPACE.shape, generator=torch.Generator().manual_seed(1), dtype=dtype))
    optimiser = Adam([variables.eta], 1e-2)
    method = (method or method_class("drnas"))(variables)
    parts = REGULARISERS["kl"](0.01), optimiser, Sgd(net.parameters(), 0.9, 3e-4, 5.0), torch.Generator().manual_seed(2)
    step = SearchStep(net, method, variables, *parts, second_order)
    step.weight_optimiser.set_lr(0.05)
    return step


def batches(dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    draw = lambda: (torch.randn(8, 3, 8, 8, generator=generator, dtype=dtype), torch.randint(4, (8,), generator=generator))  # noqa: E731
    return draw(), draw()


def test_each_step_moves_its_own_variables_only():
    torch.manual_seed(0)
    step = make(Nb201SuperNet(SPACE, channels=4, cells_per_stage=1, classes=4).double())
    train, valid = batches()
    eta, weights = step.variables.eta.detach().clone(), [p.detach().clone() for p in step.parameters]
    step.arch_step(train, valid)
    assert not torch.equal(step.variables.eta, eta)
    assert all(torch.equal(a, b) and a.grad is None for a, b in zip(step.parameters, weights))
    eta = step.variables.eta.detach().clone()
    step.weight_step(train)
    assert torch.equal(step.variables.eta, eta)
    assert not any(torch.equal(a, b) for a, b in zip(step.parameters, weights) if b.numel() > 8)
    assert all(value is not None for value in step.meter.read())


def test_weight_step_is_clipped_sgd():
    torch.manual_seed(0)
    step = make(Nb201SuperNet(SPACE, channels=4, cells_per_stage=1, classes=4).double(), method=Softmax)
    train, _ = batches()
    before = [p.detach().clone() for p in step.parameters]
    loss = F.cross_entropy(step.net(train[0], step.method.sample(None).detach()), train[1])
    gradient = torch.autograd.grad(loss, step.parameters)
    factor = min(1.0, 5.0 / torch.stack([g.norm() for g in gradient]).norm().item())
    step.weight_step(train)
    for now, was, g in zip(step.parameters, before, gradient):
        torch.testing.assert_close(now.detach(), was - 0.05 * (factor * g + 3e-4 * was), rtol=1e-5, atol=1e-9)


def test_unrolled_gradient_is_the_exact_one(monkeypatch):
    """Differentiating the validation loss through one explicit SGD step, with the plain supernet: the finite difference agrees.

    DARTS' step of 0.01 crosses ReLU boundaries on so few images; a shorter one leaves the formula alone to be judged.
    """
    monkeypatch.setattr(bilevel, "PERTURBATION", 1e-6)
    torch.manual_seed(0)
    net = PlainSuperNet(SPACE, channels=4, cells_per_stage=1, classes=4).double()
    step = make(net, second_order=True, method=Softmax)
    train, valid = batches()
    step.weight_step(train)  # some momentum
    weights = [p.detach().clone() for p in step.parameters]
    statistics = [b.clone() for b in net.buffers()]
    (ours,), _, _ = step.unrolled_gradient(train, valid)
    (first,), _, _ = step.first_order_gradient(train, valid)
    assert all(torch.equal(p, w) for p, w in zip(step.parameters, weights))

    for buffer, value in zip(net.buffers(), statistics):
        buffer.copy_(value)
    names = [name for name, _ in net.named_parameters()]
    eta = step.variables.eta
    at = dict(zip(names, [w.requires_grad_() for w in weights]))
    inner = F.cross_entropy(functional_call(net, at, (train[0], eta.softmax(-1))), train[1])
    gradient = torch.autograd.grad(inner, list(at.values()), create_graph=True)
    velocity = step.weight_optimiser.velocity
    moved = {n: w - 0.05 * (g + 3e-4 * w + 0.9 * v) for (n, w), g, v in zip(at.items(), gradient, velocity)}
    outer = F.cross_entropy(functional_call(net, moved, (valid[0], eta.softmax(-1))), valid[1])
    (exact,) = torch.autograd.grad(step._regularised(outer), eta)
    assert (ours - exact).norm() <= 1e-3 * (exact - first).norm(), "the second-order part must be right, not merely small"


def test_unrolled_step_leaves_running_statistics_alone():
    torch.manual_seed(0)
    net = Nb201SuperNet(SPACE, channels=4, cells_per_stage=1, classes=4).double()
    step = make(net, second_order=True)
    before = [b.clone() for b in net.buffers()]
    step.arch_step(*batches())
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), before))
    assert torch.isfinite(step.variables.eta).all()
