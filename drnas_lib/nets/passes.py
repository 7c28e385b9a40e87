"""What source_sum.py does between its convolutions and products, in one pass over memory each (compiled.py). Images are contiguous."""

import torch
from torch import Tensor

from drnas_lib.nets.compiled import call, operator


@operator(
    "mix(Tensor theta, Tensor places, Tensor(a!)[] sums, bool fresh, Tensor? x, Tensor? pooled, Tensor? y, Tensor? gain, Tensor? offset,"
    " Tensor? product) -> ()"
)
def mix(theta, places, sums, fresh, x, pooled, y, gain, offset, product) -> None:
    """To each of n `sums` (B, H, W, c), or to nothing where they are `fresh`: theta_skip x + theta_pool pooled + gain y + offset + product.

    theta (n, O); `places` (n, 4) as in source_sum.Edges; x and `pooled` (B, H, W, c); y (B, H, W, m c), its gain and offset (m c,);
    `product` (N, m' c), N = B H W pixels. What is None does not exist.
    """
    c = sums[0].shape[-1]
    of_channels = y, _width(y), gain, offset, product, _width(product)
    call("mix", theta.dtype, sums[0].numel() // c, c, len(sums), x, pooled, *of_channels, places, theta, theta.shape[1], fresh, list(sums))


@operator("avg_pool_3x3(Tensor x) -> Tensor")
def avg_pool_3x3(x: Tensor) -> Tensor:
    """The mean over each 3x3 window inside the image of x (B, H, W, c)."""
    B, H, W, c = x.shape
    out = torch.empty_like(x)
    call("pool", x.dtype, B, H, W, c, x, out, x.new_zeros(torch.get_num_threads(), (2 * W + 2) * c), x.new_empty(W * c))
    return out


@operator(
    "back(Tensor theta, Tensor places, Tensor[] grads, bool skip, bool pool, Tensor? active, Tensor? shift, Tensor(a!) grad,"
    " bool products, Tensor? x, Tensor? pooled) -> Tensor"
)
def back(theta, places, grads, skip, pool, active, shift, grad, products, x, pooled) -> Tensor:
    """The rest of the way to the gradient of x, in place in `grad` (B, H, W, c): the ReLU's, and what skip and pool give back.

    theta and `places` as in `mix`; `grads`, n of (B, H, W, c), are those of its sums; `skip` and `pool` say whether any edge has them;
    `active` is the output of the ReLU, before whose gradient `shift` (c,) is added. Returns the sums of x and of `pooled` times each of
    `grads`, (n, 2) in float64, or nothing (0, n, 2) where `products` is false.
    """
    B, H, W, c = grad.shape
    rows = grad.new_zeros(torch.get_num_threads(), (5 * W + 2) * c), grad.new_empty(W * c)
    shift = grad.new_zeros(W * c) if shift is None else shift.repeat(W)
    found = torch.zeros(B if products else 0, len(grads), 2, dtype=torch.float64)
    of_edges = len(grads), list(grads), places, theta, theta.shape[1]
    call("back", grad.dtype, B, H, W, c, *of_edges, shift, active, skip, pool, grad, *rows, x, pooled, found if products else None)
    return found.sum(0) if products else found


def _width(of: Tensor | None) -> int:
    return 0 if of is None else of.shape[-1]
