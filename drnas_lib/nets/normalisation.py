"""Batch normalisation without learnt scale of images whose channels are last in memory, forward and backward.

PyTorch's own kernels walk channels last pixel by pixel, which is slow where there are few channels. There the sums over all pixels are
matrix products, and the per-channel affine maps run along rows of many pixels, the channels' factors repeated. With many channels the
products would cost more than they save, and PyTorch's kernels are used, unless several processes share the batch.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.nets.statistics import EPS, WHOLE, Moments, WholeBatch, gram, total

FEW = 15  # channels, fewer than a vector has floats; measured
ROW = 768  # entries of a row of an affine map, about


def channels_first(images: Tensor) -> Tensor:
    """(B, H, W, c) as the (B, c, H, W) that PyTorch's operations want, the memory left as it is."""
    return images.permute(0, 3, 1, 2)


def flat(images: Tensor) -> Tensor:
    """(B, H, W, c) -> (N, c) with N = B H W pixels, without a copy."""
    return images.flatten(0, 2)


def moments(y: Tensor, batch: WholeBatch = WHOLE) -> Moments:
    """Mean and biased variance (m,) over batch and pixels of y (B, H, W, m), this process' part of `batch`.

    What is subtracted is in float64, so it costs no digits.
    """
    if y.shape[-1] > FEW and batch is WHOLE:
        return torch.batch_norm_update_stats(channels_first(y), None, None, 0.0)
    rows = flat(y)
    mean = total(rows).double().div_(len(rows))
    mean, square = batch.average(mean, gram(rows, rows).diagonal().double().div(len(rows)))
    return mean.to(y.dtype), square.addcmul_(mean, mean, value=-1).clamp_min_(0.0).to(y.dtype)


def normalise(
    y: Tensor, scale: Tensor, shift: Tensor | None, used: Moments | None, batch: WholeBatch = WHOLE
) -> tuple[Tensor, Moments, Tensor]:
    """scale (y - mean) / sqrt(var + eps) + shift, all per channel (m,); y (B, H, W, m); `used` are the batch's own moments where None.

    Returns also the moments that were used, and 1 / sqrt(var + eps).
    """
    if used is None and batch is not WHOLE:
        used = moments(y, batch)
    if y.shape[-1] > FEW:
        if used is None:
            out, mean, inverse = torch.native_batch_norm(channels_first(y), scale, shift, None, None, True, 0.0, EPS)
            return out.permute(0, 2, 3, 1), (mean, inverse.pow(-2).sub_(EPS)), inverse
        out = F.batch_norm(channels_first(y), *used, scale, shift, training=False, eps=EPS)
        return out.permute(0, 2, 3, 1), used, (used[1] + EPS).rsqrt_()
    as_map, used, inverse = as_affine(y, scale, shift, used)
    return affine(y, *as_map), used, inverse


def as_affine(
    y: Tensor, scale: Tensor, shift: Tensor | None, used: Moments | None, batch: WholeBatch = WHOLE
) -> tuple[tuple[Tensor, Tensor], Moments, Tensor]:
    """The map that `normalise` applies, as gain and offset (m,) instead of its result; then what that returns beside it."""
    mean, variance = used = moments(y, batch) if used is None else used
    inverse = (variance + EPS).rsqrt_()
    gain = scale * inverse
    offset = gain.neg().mul_(mean) if shift is None else torch.addcmul(shift, gain, mean, value=-1)
    return (gain, offset), used, inverse


def backward(
    grad: Tensor,
    y: Tensor,
    scale: Tensor,
    used: Moments,
    inverse: Tensor,
    training: bool,
    needs_scale: bool,
    needs_shift: bool,
    batch: WholeBatch = WHOLE,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """From the gradient of `normalise`, (B, H, W, m) and contiguous, to those of y, and where they are needed of scale and shift (m,).

    The gradients of scale and shift are those of this process' part of the batch, as in any other layer.
    """
    mean, variance = used
    if y.shape[-1] > FEW and batch is WHOLE:
        of_y, of_scale, of_shift = torch.ops.aten.native_batch_norm_backward(
            channels_first(grad), channels_first(y), scale, mean, variance, mean, inverse, training, EPS, [True, needs_scale, needs_shift]
        )
        return of_y.permute(0, 2, 3, 1), of_scale if needs_scale else None, of_shift if needs_shift else None
    gain = scale * inverse
    if not (training or needs_scale or needs_shift):
        return affine(grad, gain, torch.zeros_like(gain)), None, None
    rows = flat(grad)
    summed = total(rows)
    products = gram(rows, flat(y)).diagonal()  # of the gradient with y
    of_scale = torch.addcmul(products, summed, mean, value=-1).mul_(inverse)
    if not training:
        return affine(grad, gain, torch.zeros_like(gain)), of_scale, summed
    of_variance, of_mean = batch.average(of_scale, summed)
    slope = (gain * inverse).mul_(of_variance).div_(-len(rows))
    offset = torch.addcmul((gain * of_mean).div_(-len(rows)), slope, mean, value=-1)
    of_y = affine(y, slope, offset)
    of_y.view(-1, *_tiled(gain, y).shape).addcmul_(grad.view(-1, *_tiled(gain, y).shape), _tiled(gain, y))
    return of_y, of_scale, summed


def affine(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """gain x + offset, per channel (m,), of contiguous x (B, H, W, m)."""
    gain, offset = _tiled(gain, x), _tiled(offset, x)
    return torch.addcmul(offset, x.view(-1, len(gain)), gain).view(x.shape)


def _tiled(vector: Tensor, images: Tensor) -> Tensor:
    """`vector` (m,) once for each of as many pixels as make a row of images (B, H, W, m), one after the other."""
    pixels = images.numel() // images.shape[-1]
    times = max(t for t in (1, 2, 4, 8, 16, 32, 64, 128, 256) if pixels % t == 0 and (t == 1 or t * len(vector) <= ROW))
    return vector.repeat(times)
