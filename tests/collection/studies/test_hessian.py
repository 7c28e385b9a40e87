"""The Hessian against finite differences, SciPy's eigsh and the chain rule by hand; eigenvalues of a run's folder."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.nn import functional as F

from drnas_lib.collection.studies import hessian, lambda_ablation
from drnas_lib.collection.studies.config import HessianConfig
from drnas_lib.collection.studies.hessian import HessianError, Protocol
from drnas_lib.nets.layers import freeze
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.runs.snapshots import SnapshotError
from drnas_lib.search import finished_search
from drnas_lib.search.run import run
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]
METHODS = tuple(hessian.VARIABLES)
SOME = slice(0, None, 4)  # rows of the Hessian: of every edge and every operation of the whole space
CASES = [("drnas", name) for name in hessian.OF_DIRICHLET] + [("darts", name) for name in hessian.OF_SOFTMAX]


def small(pruned=False):
    """A supernet in float64, two batches, eta away from the anchor, its mask."""
    torch.manual_seed(3)
    mask = torch.ones(SPACE.shape, dtype=torch.bool)
    if pruned:
        mask = torch.zeros(SPACE.shape).scatter(-1, torch.rand(SPACE.shape).topk(3).indices, 1).bool()
    net = freeze(Nb201SuperNet(SPACE, 2, mask, channels=4, cells_per_stage=1)).double().train()
    batches = [(torch.randn(n, 3, 8, 8).double(), torch.randint(10, (n,))) for n in (6, 4)]
    return net, batches, (0.7 * torch.randn(SPACE.shape).double()) * mask, mask


def dense(net, batches, of, eta, mask):
    theta = of.theta(of.start(eta, mask), mask)
    _, gradient, in_theta = hessian.in_theta(net, batches, theta, mask)
    assert hessian.symmetry_defect(in_theta) < 1e-10
    return hessian.pull_back(of, eta, mask, gradient, in_theta)[1]


def gradient_at(net, batches, of, whole, entries, mask):
    entries = entries.clone().requires_grad_()
    losses = [len(y) * F.cross_entropy(net(x, of.theta(whole.masked_scatter(mask, entries), mask)), y) for x, y in batches]
    return torch.autograd.grad(sum(losses) / sum(len(y) for _, y in batches), entries)[0]


@pytest.mark.parametrize(("method", "name", "pruned"), [*((*case, True) for case in CASES), *((m, "eta", False) for m in METHODS)])
def test_the_dense_hessian_is_that_of_central_differences(method, name, pruned):
    net, batches, eta, mask = small(pruned)
    of = hessian.find_variable(method, name)
    ours, whole, step = dense(net, batches, of, eta, mask), of.start(eta, mask), 1e-5
    rows = [
        (gradient_at(net, batches, of, whole, whole[mask] + unit, mask) - gradient_at(net, batches, of, whole, whole[mask] - unit, mask))
        for unit in step * torch.eye(int(mask.sum())).double()[SOME]
    ]
    differences = torch.stack(rows) / (2 * step)
    assert (ours[SOME] - differences).norm() / differences.norm() <= 1e-5
    theta = of.theta(of.start(eta, mask), mask)
    slope, _ = hessian.pull_back(of, eta, mask, *hessian.in_theta(net, batches[:1], theta, mask)[1:])
    torch.testing.assert_close(slope, gradient_at(net, batches[:1], of, whole, whole[mask], mask))


def product(net, batches, of, eta, mask):
    """v -> H v (n,) in a variable, by differentiating twice through theta and network."""
    whole, images = of.start(eta, mask), sum(len(y) for _, y in batches)

    def apply(vector):
        total = torch.zeros_like(vector)
        for x, y in batches:
            entries = whole[mask].detach().clone().requires_grad_()
            loss = F.cross_entropy(net(x, of.theta(whole.masked_scatter(mask, entries), mask)), y)
            (first,) = torch.autograd.grad(loss, entries, create_graph=True)
            total += len(y) / images * torch.autograd.grad(first, entries, vector)[0]
        return total

    return apply


@pytest.mark.parametrize(("method", "name"), [("drnas", "eta"), ("darts", "eta"), ("drnas", "mean")])
def test_the_top_eigenvalue_is_that_of_eigsh_on_products(method, name):
    net, batches, eta, mask = small()
    of = hessian.find_variable(method, name)
    apply, n = product(net, batches, of, eta, mask), int(mask.sum())
    operator = LinearOperator((n, n), matvec=lambda v: apply(torch.from_numpy(v).flatten()).numpy(), dtype=np.float64)
    (top,) = eigsh(operator, k=1, which="LA", tol=1e-12, v0=np.ones(n), return_eigenvectors=False)
    assert abs(float(hessian.spectrum(dense(net, batches, of, eta, mask))[-1]) - top) <= 1e-8 * abs(top)


def test_of_a_softmax_by_hand():
    """One edge, two operations: L(theta) = a . theta gives d2L/dx2 = (a1 - a2) p (1 - p) (1 - 2 p) in the first logit."""
    eta, mask = torch.tensor([[[0.3, -0.4]]]).double(), torch.ones(1, 1, 2, dtype=torch.bool)
    a = torch.tensor([2.0, 0.5]).double()
    _, found = hessian.pull_back(hessian.find_variable("darts", "eta"), eta, mask, a, torch.zeros(2, 2).double())
    p = float(eta.softmax(-1)[0, 0, 0])
    assert float(found[0, 0]) == pytest.approx(1.5 * p * (1 - p) * (1 - 2 * p), rel=1e-12)


def test_mu_is_the_softmax_parameter_of_the_dirichlet_mean():
    _, _, eta, mask = small(pruned=True)
    mu, mean = (hessian.find_variable("drnas", name) for name in ("mu", "mean"))
    torch.testing.assert_close(mu.theta(mu.start(eta, mask), mask), mean.start(eta, mask))


def test_what_does_not_exist_is_named():
    with pytest.raises(HessianError, match="allowed|Allowed are eta, mean, mu"):
        hessian.find_variable("darts", "beta")
    with pytest.raises(HessianError, match="no twice differentiable point"):
        hessian.find_variable("gdas", "eta")


def snapshots_of(these):
    list(run(these))
    return RunFolder(these.folder)


@pytest.fixture
def searched(settings):
    return snapshots_of(settings(epochs=[2], snapshots=1))


@pytest.fixture
def one_snapshot(settings):
    return snapshots_of(settings(epochs=[1], snapshots=1))


def test_a_study_measures_each_snapshot_once_and_continues(searched, monkeypatch, capsys):
    protocol = Protocol.of(HessianConfig(images=32))
    table = hessian.study(str(searched.path), protocol, "cpu")
    assert list(table.epoch) == [1, 2] and (table.variables == 30).all() and (table.symmetry_defect < 1e-2).all()
    kept = read_json(searched.file(f"{protocol.stem}.json"))
    assert kept["epochs"][0]["spectrum"] == sorted(kept["epochs"][0]["spectrum"]) and kept["protocol"]["measure"] == "literature"
    monkeypatch.setattr(hessian, "measure", lambda *_: pytest.fail("measured again"))
    assert hessian.study(str(searched.path), protocol, "cpu").equals(table)
    integrity.write(file := searched.file(f"{protocol.stem}.json"), kept | {"epochs": kept["epochs"][:1]})
    with ThreadPoolExecutor() as pool:
        with searched.lock():  # of another study, which measures the same
            waiting = pool.submit(hessian.study, str(searched.path), protocol, "cpu")
            while "Waiting for process" not in capsys.readouterr().out:
                assert not waiting.done(), waiting.result()
            integrity.write(file, kept)
        assert waiting.result().equals(table), "what the other one measured is read"
    for path in searched.path.glob("snapshot-*"):
        path.unlink()
    assert hessian.study(str(searched.path), protocol, "cpu").equals(table), "what was measured is read without snapshots"
    with pytest.raises(SnapshotError, match="snapshots"):
        hessian.study(str(searched.path), Protocol.of(HessianConfig(measure="exact")), "cpu")
    integrity.write(searched.file(f"{protocol.stem}.json"), kept | {"epochs": kept["epochs"][:1]})
    with pytest.raises(SnapshotError, match="snapshots"):
        hessian.study(str(searched.path), protocol, "cpu")


def test_what_was_measured_is_read_without_the_images(one_snapshot, monkeypatch):
    protocol = Protocol.of(HessianConfig(images=32))
    table = hessian.study(str(one_snapshot.path), protocol, "cpu")
    monkeypatch.setattr(finished_search, "load", lambda *_: pytest.fail("read the images"))
    assert hessian.study(str(one_snapshot.path), protocol, "cpu").equals(table)


def test_literature_adds_lambda_and_single_precision_agrees_with_double(one_snapshot):
    base = dict(images=32)
    of = {
        name: hessian.study(str(one_snapshot.path), Protocol.of(HessianConfig(**base, **more)), "cpu").dominant
        for name, more in {"plain": dict(measure="exact"), "single": dict(measure="exact", precision="float32"), "ridge": {}}.items()
    }
    np.testing.assert_allclose(of["single"], of["plain"], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(of["ridge"] - of["single"], 1e-3, rtol=1e-6)


def test_growth_is_the_ratio_of_means():
    rows = {"space": "s1", "method": "darts", "run": ["a", "a", "b", "b"], "epoch": [1, 2, 1, 2], "dominant": [1.0, 4.0, 3.0, 8.0]}
    table = pd.concat([pd.DataFrame(rows), pd.DataFrame(rows | {"space": "s2"}).iloc[:2]])
    found = hessian.growth(table)
    assert found.loc["s1", "darts"].tolist() == [2.0, 6.0, 3.0, 2] and found.loc["s2", "darts"].tolist() == [1.0, 4.0, 4.0, 1]


def test_endpoints_stand_beside_the_paper_s():
    rows = {"space": ["s1"] * 4 + ["nb201"], "method": "drnas", "run": ["a", "a", "b", "b", "c"], "epoch": [1, 2, 1, 2, 2]}
    found = hessian.endpoints(pd.DataFrame(rows | {"dominant": [9.0, 0.1, 9.0, 0.3, 5.0]}))
    assert found.loc["S1"].tolist() == [0.0392, pytest.approx(0.2)] and found.ours.isna().tolist() == [False, True, True, True]


def test_the_lambda_study_takes_lambda_off(one_snapshot):
    protocol = Protocol.of(HessianConfig(images=32))
    with_ridge = hessian.study(str(one_snapshot.path), protocol, "cpu")
    of_loss = lambda_ablation.eigenvalues([str(one_snapshot.path)], protocol, "cpu")
    np.testing.assert_allclose(with_ridge.dominant - of_loss.dominant, 1e-3, rtol=1e-6)
