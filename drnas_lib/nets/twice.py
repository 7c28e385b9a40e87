"""A supernet evaluated with operations that PyTorch differentiates as often as asked.

The fast supernet writes its backward pass by hand and can be differentiated once. This reads the same weights and computes the same
function edge by edge with PyTorch's own convolution, pooling and normalisation, for Hessians: slower, and never used to train.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.mixed import KERNELS
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.statistics import EPS
from drnas_lib.nets.supernet import SuperCell, SuperNet
from drnas_lib.spaces.space import Space


class TwiceDifferentiable(nn.Module):
    """`forward(x, theta)` equals that of `net`, in training or evaluation mode and in the dtype that this is moved to.

    theta is zero for operations that the net's mask drops. The weights are a copy of those of `net` without gradients of their own;
    running statistics are read, never moved.
    """

    def __init__(self, net: SuperNet, space: Space):
        super().__init__()
        self.columns = {name: o for o, name in enumerate(space.operations)}
        self.net = copy.deepcopy(net).requires_grad_(False)
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0  # looking at a network must not change it

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """x (B, C, H, W), theta (G, E, O) -> logits (B, classes)."""
        x = self.net.stem(x)
        for layer in self.net.layers:
            x = _cell(layer, x, theta[0], self.columns) if isinstance(layer, SuperCell) else layer(x)
        return self.net.head(x)


def _cell(cell: SuperCell, x: Tensor, theta: Tensor, columns: dict[str, int]) -> Tensor:
    """Node j is the sum over its incoming edges (eq. 1); K > 1 mixes the first C/K channels, passes the rest and shuffles the sum."""
    c, arriving = cell.mixed, {}  # edge -> (B, c, H, W)
    bypass = torch.zeros_like(x[:, c:])
    for source, edges in enumerate(cell.leaving):
        bypass = bypass + x[:, c:]
        arriving |= zip(edges, _edges(cell.sources[source].convolutions, x[:, :c], theta[edges], columns))
        into = [cell.leaving[earlier][source - earlier] for earlier in range(source + 1)]  # the edges to node source + 1
        node = torch.stack([arriving[edge] for edge in into]).sum(0)
        x = node if cell.k == 1 else channel_shuffle(torch.cat([node, bypass], 1), cell.k)
    return x


def _edges(convolutions: nn.ModuleDict, x: Tensor, theta: Tensor, columns: dict[str, int]) -> list[Tensor]:
    """The mixed operations of the n edges that leave a node: x (B, c, H, W), theta (n, O) -> n of (B, c, H, W)."""
    shared = [(operation(x), columns[name]) for name, operation in SHARED.items() if name in columns]
    mixed = [sum((row[column] * z for z, column in shared), torch.zeros_like(x)) for row in theta]
    for name, stacked in convolutions.items():
        y = F.conv2d(F.relu(x), stacked.weight, padding=KERNELS[name] // 2)  # B m*c H W
        # With momentum 0 the running statistics keep their values in training mode too.
        y = F.batch_norm(y, stacked.running_mean, stacked.running_var, training=stacked.training, momentum=0.0, eps=EPS)
        for position, own in zip(stacked.positions, y.split(x.shape[1], 1)):
            mixed[position] = mixed[position] + theta[position, columns[name]] * own
    return mixed


SHARED = {
    "skip_connect": lambda x: x,
    "avg_pool_3x3": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
}
