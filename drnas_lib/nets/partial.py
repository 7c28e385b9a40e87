"""Partial channels: an edge mixes its operations on the first 1/K of the channels and lets the rest pass (section 2.4)."""

import torch
from torch import Tensor


def split(x: Tensor, k: int) -> tuple[Tensor, Tensor | None]:
    """x (B, C, H, W) -> the channels to mix (B, C/K, H, W), and those that pass, None for K = 1."""
    if k == 1:
        return x, None
    C = x.shape[1]
    return x.split([C // k, C - C // k], 1)  # not two slices: the gradients of a split are joined by one operator


def shuffled(mixed: Tensor, passed: Tensor | None, k: int) -> Tensor:
    """Interleave mixed (B, c, H, W) and passed (B, (K-1) c, H, W): channel j of group g moves to j K + g of (B, K c, H, W)."""
    if passed is None:
        return mixed
    rest = passed.unflatten(1, (k - 1, -1)).transpose(1, 2)  # B c K-1 H W
    joined = torch.cat([mixed[:, :, None], rest], 2).flatten(1, 2)
    return joined.contiguous(memory_format=torch.channels_last) if mixed.stride(1) == 1 else joined


def arrived(received: Tensor, channels: int) -> tuple[Tensor, Tensor | None]:
    """Split what all later nodes have received (B, n c, H, W) into the next one's `channels` and that of the nodes behind it."""
    others = received.shape[1] - channels
    return received.split([channels, others], 1) if others else (received, None)
