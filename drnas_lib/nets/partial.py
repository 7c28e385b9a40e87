"""Partial channels: an edge mixes its operations on the first 1/K of the channels and lets the rest pass (section 2.4)."""

from torch import Tensor


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave `groups` equal blocks of channels: channel g * C/groups + j moves to j * groups + g. Keeps (B, C, H, W)."""
    B, C, H, W = x.shape
    return x.view(B, groups, C // groups, H, W).transpose(1, 2).reshape(B, C, H, W)
