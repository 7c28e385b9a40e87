"""drnas_lib.runs.precision: convolutions round what they are told to, nothing else does, and the settings of before come back."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.runs.device import reproducible
from drnas_lib.runs.files import RunFolder, read_json
from drnas_lib.runs.precision import FLOAT32, PRECISIONS
from drnas_lib.search.run import run
from drnas_lib.spaces.nb201 import NB201

BF16 = PRECISIONS["bf16"]


def rounded(x):
    return x.bfloat16().float()


def images():
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_float32_is_the_net_itself():
    net = nn.Conv2d(3, 5, 3)
    assert FLOAT32.forward(net) is net and PRECISIONS["tf32"].forward(net) is net


def test_bf16_rounds_the_inputs_of_convolutions():
    x, net = images(), nn.Conv2d(3, 5, 3, padding=1, bias=False)
    found = BF16.forward(lambda x, theta: net(x))(x, None)
    exact = F.conv2d(rounded(x), rounded(net.weight), padding=1)
    assert found.dtype == torch.float32
    assert torch.equal(found, rounded(found)), "the result of a bf16 convolution is a bf16 number"
    torch.testing.assert_close(found, exact, rtol=2**-8, atol=1e-3)
    assert not torch.equal(found, net(x))


def test_bf16_leaves_all_else_alone():
    x = images()
    parts = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(192, 10))
    found = BF16.forward(lambda x, theta: torch.bmm(theta, parts(x)[None]))(x, torch.eye(4)[None])
    parts[0].reset_running_stats()
    assert torch.equal(found, torch.bmm(torch.eye(4)[None], parts(x)[None]))


@pytest.mark.parametrize("k", [1, 4])
def test_bf16_rounds_neither_pooling_nor_mixing(k):
    """A supernet whose edges keep no convolution, in which only stem and residual blocks convolve: its cells give the same bits."""
    mask = torch.zeros(NB201.shape, dtype=torch.bool)
    mask[..., [1, 4]] = True
    cell = Nb201SuperNet(NB201, k, mask, channels=8, cells_per_stage=1).layers[0]
    x, theta = torch.randn(4, 8, 8, 8, generator=torch.Generator().manual_seed(0)), torch.rand(NB201.shape)
    net = Nb201SuperNet(NB201, k, mask, channels=8, cells_per_stage=1)
    call = lambda x, theta: cell(x, net.layout(theta[0]))  # noqa: E731
    assert torch.equal(BF16.forward(call)(x, theta), call(x, theta))


def test_bf16_gradients_are_those_of_the_rounded_inputs():
    x, weight = images().requires_grad_(), torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = BF16.forward(lambda x, theta: F.conv2d(x, theta, padding=1))(x, weight).square().sum()
    found = torch.autograd.grad(loss, [x, weight])
    expected = torch.autograd.grad(F.conv2d(rounded(x), rounded(weight), padding=1).square().sum(), [x, weight])
    for a, b in zip(found, expected):
        assert a.dtype == torch.float32 and (a - b).norm() < 0.01 * b.norm()


@pytest.mark.parametrize("name", PRECISIONS)
def test_the_settings_of_before_come_back(name):
    places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    with pytest.raises(ZeroDivisionError), PRECISIONS[name].arithmetic():
        assert [place.fp32_precision for place in places] == ["ieee", "tf32" if name == "tf32" else "ieee"], "convolutions alone"
        raise ZeroDivisionError
    assert [place.fp32_precision for place in places] == before


def test_a_search_records_its_precision_and_is_another_one(settings):
    narrow, wide = settings(precision="bf16", name="narrow"), settings(name="wide")
    assert narrow.fingerprint != wide.fingerprint and wide.precision == "float32"
    list(run(narrow)), list(run(wide))
    records = [read_json(RunFolder(these.folder).file("record.json")) for these in (narrow, wide)]
    assert [record["parameters"]["precision"] for record in records] == ["bf16", "float32"]
    assert records[0]["supernet_sha256"] != records[1]["supernet_sha256"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="TF32 is arithmetic of a GPU: needs a CUDA device")
def test_tf32_is_off_unless_asked_for():
    device, generator = torch.device("cuda"), torch.Generator().manual_seed(0)
    x, weight = torch.randn(8, 64, 16, 16, generator=generator), torch.randn(64, 64, 3, 3, generator=generator)
    a, b = (torch.randn(512, 512, generator=generator) for _ in range(2))
    exact, product = F.conv2d(x.double(), weight.double()), a.double() @ b.double()
    errors = {}
    for name in ("float32", "tf32"):
        with reproducible(device, PRECISIONS[name]):
            found = F.conv2d(x.to(device), weight.to(device)).cpu().double()
            assert ((a.to(device) @ b.to(device)).cpu().double() - product).norm() / product.norm() < 1e-6, "only convolutions round"
        errors[name] = float((found - exact).norm() / exact.norm())
    assert errors["float32"] < 1e-6 < errors["tf32"] * 0.1
