"""drnas_lib.nets.winograd against PyTorch's derivative of the convolution."""

import pytest
import torch

from drnas_lib.nets.supernet import SuperNet
from drnas_lib.nets.winograd import pays, weight_gradient
from drnas_lib.spaces import SPACES


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


@pytest.mark.parametrize("shape", [(2, 8, 8, 5, 3), (1, 4, 12, 1, 2), (3, 16, 4, 7, 1), (2, 4, 4, 96, 32)])
def test_is_the_derivative_of_the_convolution(shape):
    grad, x = images(*shape)
    assert error(weight_gradient(grad, x), built_in(grad, x)) <= 1e-13


@pytest.mark.parametrize("shape", [(16, 8, 8, 192, 64), (16, 8, 8, 64, 64), (8, 16, 16, 96, 32)])
def test_rounds_about_as_the_direct_way(shape):
    grad, x = images(*shape)
    true = built_in(grad, x)
    direct = error(built_in(grad.float(), x.float()).double(), true)
    assert error(weight_gradient(grad.float(), x.float()).double(), true) <= max(5 * direct, 2e-6)


def test_where_it_pays():
    grad, x = images(1, 8, 8, 64, 32)
    assert pays(grad, x) and pays(grad.float(), x.float())
    assert not pays(grad[..., :63], x), "few channels"
    assert not pays(grad[:, :6], x[:, :6]), "6 rows"
    assert not pays(grad.bfloat16(), x.bfloat16())
    assert not pays(grad.to("meta"), x.to("meta")), "another device"


def test_the_supernet_uses_it(monkeypatch):
    """With 32 channels it serves all stages but the last, whose images of 2x2 pixels are too small; without it the numbers are the same."""
    torch.manual_seed(0)
    net, theta = SuperNet(SPACES["nb201"], channels=32, cells_per_stage=1).double(), torch.rand(1, 6, 5, dtype=torch.float64).softmax(-1)
    x, calls, found = torch.randn(2, 3, 8, 8, dtype=torch.float64), [], []
    for limit in (96, 10**9):
        monkeypatch.setattr("drnas_lib.nets.winograd.CHANNELS", limit)
        monkeypatch.setattr("drnas_lib.nets.winograd.weight_gradient", lambda *args: calls.append(args) or weight_gradient(*args))
        found.append(torch.autograd.grad(net(x, theta).square().sum(), list(net.parameters())))
    assert [tuple(grad.shape[1:]) for grad, _ in calls] == [(4, 4, 64), (4, 4, 128), (4, 4, 192), (8, 8, 64), (8, 8, 96)]
    for with_it, without in zip(*found):
        torch.testing.assert_close(with_it, without, rtol=1e-9, atol=1e-9)
