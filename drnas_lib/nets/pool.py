"""Average pooling 3x3 at stride 1 as two products with a banded matrix.

The window is a product of two windows of three, and so is the number of pixels it really covers, border included: row i of P averages
i-1, i, i+1 inside the image, first along the height, then along the width. Exact, and several times as quick as the built-in pooling on a
CPU; its adjoint is the same with the matrices transposed.
"""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def band(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """P (size, size): row i holds 1/2 or 1/3 at the neighbours of i that exist, 1 for a single pixel. A constant, so made once."""
    position = torch.arange(size, device=device)
    near = ((position[:, None] - position[None, :]).abs() <= 1).to(dtype)
    return near / near.sum(1, keepdim=True)


def avg_pool_3x3(x: Tensor, adjoint: bool = False) -> Tensor:
    """The mean over each 3x3 window inside the image of x (B, H, W, C), or the `adjoint` map, of gradients. The result is contiguous."""
    B, H, W, C = x.shape
    rows, columns = (band(size, x.dtype, x.device) for size in (H, W))
    if adjoint:
        rows, columns = rows.T, columns.T
    # bmm reads the one matrix for every image; matmul would copy it for each.
    down = torch.bmm(rows.expand(B, H, H), x.reshape(B, H, W * C))
    return torch.bmm(columns.expand(B * H, W, W), down.view(B * H, W, C)).view(B, H, W, C)
