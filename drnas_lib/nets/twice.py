"""A supernet evaluated with operations that PyTorch differentiates as often as asked.

The fast supernet writes its backward pass by hand and can be differentiated once. This reads the same weights and computes the same
function edge by edge with PyTorch's own convolution, pooling and normalisation, for Hessians: slower, and never used to train.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.nets.mixed import KERNELS
from drnas_lib.nets.mixed_sum import EPS
from drnas_lib.nets.partial import channel_shuffle
from drnas_lib.nets.supernet import SuperCell, SuperNet


class TwiceDifferentiable(nn.Module):
    """`forward(x, theta)` equals that of `net`, in training or evaluation mode and in the dtype that this is moved to.

    The weights are a copy of those of `net` without gradients of their own; running statistics are read, never moved.
    """

    def __init__(self, net: SuperNet):
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        for module in self.net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0  # looking at a network must not change it

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """x (B, C, H, W), theta (G, E, O) -> logits (B, classes)."""
        x = self.net.stem(x)
        for layer in self.net.layers:
            x = _cell(layer, x, theta[0]) if isinstance(layer, SuperCell) else layer(x)
        return self.net.head(x)


def _cell(cell: SuperCell, x: Tensor, theta: Tensor) -> Tensor:
    """Node j is the sum over its incoming edges (eq. 1); K > 1 mixes the first C/K channels, passes the rest and shuffles the sum."""
    c, arriving = cell.mixed, {}  # edge -> (B, c, H, W)
    bypass = torch.zeros_like(x[:, c:])
    for source, edges in enumerate(cell.leaving):
        bypass = bypass + x[:, c:]
        arriving |= zip(edges, _edges(cell.sources[source], x[:, :c], theta[edges]))
        into = [cell.leaving[earlier][source - earlier] for earlier in range(source + 1)]  # the edges to node source + 1
        node = torch.stack([arriving[edge] for edge in into]).sum(0)
        x = node if cell.k == 1 else channel_shuffle(torch.cat([node, bypass], 1), cell.k)
    return x


def _edges(source: nn.Module, x: Tensor, theta: Tensor) -> list[Tensor]:
    """The mixed operations of the n edges that leave a node: x (B, c, H, W), theta (n, O) -> n of (B, c, H, W)."""
    mixed = [torch.zeros_like(x) for _ in range(source.edges)]
    for name, convolution in source.convolutions.items():
        y = F.conv2d(F.relu(x), convolution.weight, padding=KERNELS[name] // 2)  # B m*c H W
        # With momentum 0 the running statistics keep their values in training mode too.
        y = F.batch_norm(y, convolution.running_mean, convolution.running_var, training=source.training, momentum=0.0, eps=EPS)
        for position, own in zip(convolution.positions, y.split(source.channels, 1)):
            mixed[position] = mixed[position] + theta[position, source.columns[name]] * own
    for name in source.shared:
        z = SHARED[name](x)
        mixed = [m + theta[e, source.columns[name]] * z for e, m in enumerate(mixed)]
    return mixed


SHARED = {
    "skip_connect": lambda x: x,
    "avg_pool_3x3": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
}
