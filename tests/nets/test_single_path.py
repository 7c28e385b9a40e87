"""One operation on each edge: the same numbers as the whole supernet, less work, and GDAS' scalars."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.nets.single_path import SinglePathNet
from drnas_lib.runs.memory import activation_bytes
from drnas_lib.spaces import SPACES

SPACE = SPACES["nb201"]
SMALL = dict(channels=8, cells_per_stage=1, classes=4)


def one_hot(operations):
    return torch.nn.functional.one_hot(torch.tensor([operations]), 5).float()


CELLS = [[3, 2, 1, 0, 4, 3], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [3, 3, 3, 3, 3, 3], [0, 3, 2, 4, 0, 2]]


def both(k):
    nets = []
    for kind in (SinglePathNet, Nb201SuperNet):
        torch.manual_seed(0)
        nets.append(kind(SPACE, k, **SMALL))
    return nets


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_same_logits_gradients_and_statistics_as_the_supernet(k, cell):
    path, whole = both(k)
    x = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    theta = one_hot(cell)
    results = []
    for net in (path, whole):
        logits = net(x, theta)
        gradient = torch.autograd.grad(logits.square().sum(), list(net.parameters()), materialize_grads=True)
        results.append((logits, gradient))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-4, atol=1e-5)
    for (name, _), ours, expected in zip(path.named_parameters(), results[0][1], results[1][1]):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4, msg=name)
    path.eval(), whole.eval()
    chosen = {name for name, buffer in path.named_buffers() if "running" in name and ".sources." not in name}
    for name in chosen:  # outside the cells; inside, the supernet moves also what is not chosen
        torch.testing.assert_close(path.get_buffer(name), whole.get_buffer(name), rtol=1e-4, atol=1e-5)


def test_only_the_chosen_operation_is_computed():
    """Counted multiply-accumulates of the cells: exactly those of the chosen convolutions, none for the others."""
    path, whole = both(1)
    x = torch.randn(4, 3, 8, 8)

    def flops(net, theta):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(x, theta)
        return counter.get_total_flops()

    nothing = flops(path, one_hot([0] * 6))
    sizes = [(8, 8), (16, 4), (32, 2)]  # channels and pixels a side of the three cells
    of_3x3 = sum(2 * 4 * c * c * 9 * size**2 for c, size in sizes)
    of_1x1 = sum(2 * 4 * c * c * size**2 for c, size in sizes)
    of_pool = sum(2 * 4 * c * 9 * size**2 for c, size in sizes)  # a depthwise convolution on a CPU
    assert flops(path, one_hot([1, 4, 1, 0, 4, 1])) == nothing + 2 * of_pool
    assert flops(path, one_hot([3, 0, 0, 0, 0, 0])) == nothing + of_3x3
    assert flops(path, one_hot([3, 2, 3, 0, 1, 2])) == nothing + 2 * of_3x3 + 2 * of_1x1
    assert flops(whole, one_hot([1] * 6)) > nothing + 6 * of_3x3


def test_less_is_kept_for_the_backward_pass():
    path, whole = both(1)
    x, theta = torch.randn(16, 3, 8, 8), one_hot([3, 2, 1, 0, 4, 3])
    kept = [activation_bytes(lambda net=net: net(x, theta), [x, theta, *net.parameters()]) for net in (path, whole)]
    assert kept[0] < 0.8 * kept[1]


def test_unchosen_weights_enter_as_scalars():
    """Where theta asks for a gradient: of the chosen operation <g, op(x)>, of each other one the sum of g, edge by edge."""
    torch.manual_seed(0)
    net = SinglePathNet(SPACE, 1, **SMALL).double()
    cell, x = net.layers[0], torch.randn(4, 8, 8, 8, dtype=torch.float64)
    operations = [3, 2, 1, 0, 4, 3]
    theta = one_hot(operations)[0].double().requires_grad_()
    weight = torch.randn(4, 8, 8, 8, dtype=torch.float64)
    (ours,) = torch.autograd.grad((cell(x, theta, operations) * weight).sum(), theta)
    step = 1e-6
    for e, o in [(3, 0), (3, 3), (4, 4), (4, 1), (5, 3), (5, 0), (0, 3)]:
        sides = []
        for sign in (1, -1):
            moved = theta.detach().clone()
            moved[e, o] += sign * step
            sides.append((cell(x, moved.requires_grad_(), operations) * weight).sum().detach())
        assert float(ours[e, o]) == pytest.approx(float(sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-6)
    assert float(ours[3, 1]) == pytest.approx(float(weight.sum())), "edge 0 -> 3 is none: a scalar added to every pixel of the output"
