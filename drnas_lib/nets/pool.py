"""Average pooling 3x3 at stride 1 as two products with a banded matrix.

The window is a product of two windows of three, and so is the number of pixels it really covers, border included:
pool(x) = P_H x P_W^T, where row i of P averages i-1, i, i+1 inside the image. Exact, and several times as quick as the built-in
pooling on a CPU; its adjoint is the same with the matrices transposed.
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


def avg_pool_3x3(x: Tensor, adjoint: bool = False, out: Tensor | None = None) -> Tensor:
    """The mean over each 3x3 window inside the image, (B, C, H, W), or the `adjoint` map of gradients; `out` is contiguous."""
    B, C, H, W = x.shape
    rows, columns = (band(size, x.dtype, x.device) for size in (H, W))
    rows, columns = (rows.T, columns) if adjoint else (rows, columns.T)
    across = torch.mm(x.reshape(-1, W), columns).view(B * C, H, W)
    # bmm reads the one matrix for every image; matmul would copy it for each.
    return torch.bmm(rows.expand(B * C, H, H), across, out=None if out is None else out.view(B * C, H, W)).view(B, C, H, W)
