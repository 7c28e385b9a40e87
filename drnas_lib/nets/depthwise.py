"""The depthwise convolution, with a backward pass that is quick on a CPU.

PyTorch's forward pass and its 3x3 weight gradient are vectorised on a CPU; its gradients for 5x5 kernels and for dilation are many
times slower than the forward pass. Both reduce to what is quick: the gradient of the input is the convolution of the gradient with
the kernels turned by half a turn, the weight gradient of a dilated convolution is the undilated one of every second pixel, and a 5x5
kernel is covered by four 3x3 ones. Elsewhere, and at stride 2, PyTorch's own gradient serves.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def depthwise(x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """x (B, C, H, W), weight (C, 1, k, k), k odd -> (B, C, ceil(H / stride), ceil(W / stride)), padded to keep the size."""
    if stride == dilation == 2:  # every tap then falls on even rows and columns
        return depthwise(x[:, :, ::2, ::2], weight)
    if stride == 1 and x.device.type == "cpu":
        return _Depthwise.apply(x, weight, dilation)
    return _convolve(x, weight, stride, dilation)


def _convolve(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation, groups=len(weight))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _convolve(x, weight, 1, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        of_x = _convolve(grad, weight.flip(2, 3), 1, ctx.dilation) if ctx.needs_input_grad[0] else None
        of_weight = weight_gradient(grad, x, weight, ctx.dilation) if ctx.needs_input_grad[1] else None
        return of_x, of_weight, None


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """(C, 1, k, k) from grad and x, both (B, C, H, W)."""
    H, W = x.shape[2:]
    if dilation == 2 and H % 2 == W % 2 == 0:
        grad, x, dilation = phases(grad), phases(x), 1
    margin = weight.shape[-1] // 2
    if margin == 1 or dilation != 1:
        return _built_in(grad, x, weight, margin * dilation, dilation)
    if margin != 2:
        return _built_in(grad, x, weight, margin, 1)
    H, W = x.shape[2:]
    padded = F.pad(x, (2,) * 4)  # B C H+4 W+4
    result = torch.empty_like(weight)
    for i in (0, 2):
        for j in (0, 2):
            window = padded[:, :, i : i + H + 2, j : j + W + 2].contiguous()
            result[:, :, i : i + 3, j : j + 3] = _built_in(grad, window, weight[:, :, :3, :3].contiguous(), 0, 1)
    return result


def phases(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (4 B, C, H/2, W/2): the pixels at even and odd rows and columns as images of their own."""
    B, C, H, W = x.shape
    return x.view(B, C, H // 2, 2, W // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(4 * B, C, H // 2, W // 2)


def _built_in(grad: Tensor, x: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
    sizes = (1, 1), (padding, padding), (dilation, dilation), False, (0, 0), len(weight)
    return torch.ops.aten.convolution_backward(grad, x, weight, None, *sizes, [False, True, False])[1]
