"""drnas_lib.nets.winograd against PyTorch's convolution and its derivatives."""

import pytest
import torch

from drnas_lib.nets.compiled import library
from drnas_lib.nets.supernet import SuperNet
from drnas_lib.nets.winograd import convolve, input_gradient, pays, pays_by_weight, weight_gradient
from drnas_lib.spaces import SPACES
from tests.fake_capture import without_compiled

compiled = pytest.mark.skipif(library() is None, reason="passes.c and tiles.c are not compiled")


def built_in(grad, x):
    """The weights' gradient (m, c, 3, 3) from images whose channels are last."""
    grad, x = grad.permute(0, 3, 1, 2), x.permute(0, 3, 1, 2)
    sizes = [1, 1], [1, 1], [1, 1], False, [0, 0], 1
    weight = x.new_empty(grad.shape[1], x.shape[1], 3, 3)
    return torch.ops.aten.convolution_backward(grad, x, weight, None, *sizes, [False, True, False])[1]


def images(B, H, W, m, c):
    generator = torch.Generator().manual_seed(B + H + W + m + c)
    draw = [torch.randn(B, H, W, channels, dtype=torch.float64, generator=generator) for channels in (m, c)]
    return draw[0], draw[1].relu()


def error(found, true):
    return float((found - true).norm() / true.norm())


@pytest.mark.parametrize("shape", [(2, 8, 8, 5, 3), (1, 4, 12, 1, 2), (3, 16, 4, 7, 1), (2, 4, 4, 96, 32), (3, 12, 8, 32, 64)])
def test_is_the_derivative_of_the_convolution(shape):
    grad, x = images(*shape)
    assert error(weight_gradient(grad, x), built_in(grad, x)) <= 1e-13
    with without_compiled():
        assert error(weight_gradient(grad, x), built_in(grad, x)) <= 1e-13


@compiled
@pytest.mark.parametrize("shape", [(1, 4, 4, 32, 32), (3, 8, 12, 96, 32), (5, 16, 16, 32, 64), (9, 8, 8, 192, 64), (2, 4, 8, 160, 96)])
def test_is_the_convolution(shape):
    """Widths of one portion of 64 channels and of several, whole and not, and numbers of tiles that no portion divides."""
    grad, x = images(*shape)
    weight = torch.randn(shape[3], shape[4], 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first = lambda channels_last: channels_last.permute(0, 3, 1, 2)
    true = torch.conv2d(first(x), weight, padding=1)
    assert error(first(convolve(x, weight)), true) <= 1e-13
    back = torch.nn.grad.conv2d_input(first(x).shape, weight, first(grad), padding=1)
    assert error(first(input_gradient(grad, weight)), back) <= 1e-13
    direct = error(torch.conv2d(first(x.float()), weight.float(), padding=1).double(), true)
    assert error(first(convolve(x.float(), weight.float())).double(), true) <= max(5 * direct, 2e-6)


@pytest.mark.parametrize("shape", [(16, 8, 8, 192, 64), (16, 8, 8, 64, 64), (8, 16, 16, 96, 32)])
def test_rounds_about_as_the_direct_way(shape):
    grad, x = images(*shape)
    true = built_in(grad, x)
    direct = error(built_in(grad.float(), x.float()).double(), true)
    assert error(weight_gradient(grad.float(), x.float()).double(), true) <= max(5 * direct, 2e-6)


def test_where_it_pays():
    grad, x = images(1, 8, 8, 64, 32)
    assert pays_by_weight(grad, x) and pays_by_weight(grad.float(), x.float())
    assert not pays_by_weight(grad[..., :63], x), "few channels"
    assert not pays_by_weight(grad[:, :6], x[:, :6]), "6 rows"
    assert not pays_by_weight(grad.bfloat16(), x.bfloat16())
    assert not pays_by_weight(grad.to("meta"), x.to("meta")), "another device"
    weight = torch.zeros(64, 32, 3, 3, dtype=torch.float64)
    assert pays(x, weight) == pays(x.float(), weight.float()) == (library() is not None)
    assert not pays(x, weight.float()) and not pays(x.bfloat16(), weight.bfloat16()) and not pays(x.to("meta"), weight.to("meta"))
    assert not pays(x[:, :6], weight) and not pays(x[..., :16], weight[:, :16]) and not pays(x, weight[:48]), "48 is no multiple of 32"


def test_the_supernet_uses_it(monkeypatch):
    """With 32 channels it serves all stages but the last, whose images of 2x2 pixels are too small; without it the numbers are the same."""
    torch.manual_seed(0)
    net, theta = SuperNet(SPACES["nb201"], channels=32, cells_per_stage=1).double(), torch.rand(1, 6, 5, dtype=torch.float64).softmax(-1)
    x, calls, found = torch.randn(2, 3, 8, 8, dtype=torch.float64), [], []
    gradients = lambda: torch.autograd.grad(net(x, theta).square().sum(), list(net.parameters()))
    monkeypatch.setattr("drnas_lib.nets.winograd.weight_gradient", lambda *args: calls.append(args) or weight_gradient(*args))
    if library() is not None:
        found.append(gradients())
        assert [tuple(grad.shape[1:]) for grad, _ in calls] == [(4, 4, 64 * n) for n in (1, 2, 3)] + [(8, 8, 32 * n) for n in (1, 2, 3)]
        calls.clear()
    with without_compiled():
        found.append(gradients())
        assert [tuple(grad.shape[1:]) for grad, _ in calls] == [(4, 4, 64), (4, 4, 128), (4, 4, 192), (8, 8, 64), (8, 8, 96)]
        monkeypatch.setattr("drnas_lib.nets.winograd.CHANNELS", 10**9)
        direct = gradients()
    for ours in found:
        for with_it, without in zip(ours, direct):
            torch.testing.assert_close(with_it, without, rtol=1e-9, atol=1e-9)
