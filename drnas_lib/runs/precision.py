"""The arithmetic of a search or a training: the precision of the products in convolutions.

All else is float32 in every precision: weights, statistics, normalisation, pooling, mixing, the classifier, theta, eta, loss, optimisers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class Precision:
    """`products`: how cuDNN multiplies float32 in convolutions; `dtype`: what their inputs are rounded to, None for no rounding."""

    products: str
    dtype: torch.dtype | None

    def forward(self, net: nn.Module) -> Callable[..., Tensor]:
        """`net` in this precision, as a search, (x, theta) -> logits, or a training, x -> logits, calls it."""
        if (dtype := self.dtype) is None:
            return net

        def narrowed(*inputs: Tensor) -> Tensor:
            with _NarrowConvolutions(dtype):
                return net(*inputs)

        return narrowed

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Let a GPU multiply float32 in this precision within the block, and restore the settings after it."""
        matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # type: ignore[attr-defined]  # the stubs lack conv
        before = matmul.fp32_precision, conv.fp32_precision
        try:
            matmul.fp32_precision, conv.fp32_precision = "ieee", self.products
            yield
        finally:
            matmul.fp32_precision, conv.fp32_precision = before


class _NarrowConvolutions(TorchFunctionMode):
    """Convolutions within the block round their inputs to `dtype`, add in float32 and return the type of their input.

    The same holds for their gradients. Pooling on a CPU is a convolution too, but not a call of F.conv2d, so it stays float32. Autocast is
    no alternative: it would also narrow the classifier.
    """

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is not F.conv2d:
            return function(*args, **(kwargs or {}))
        narrow = [value.to(self.dtype) if isinstance(value, Tensor) else value for value in args]
        return function(*narrow, **(kwargs or {})).to(args[0].dtype)


FLOAT32 = Precision("ieee", None)
PRECISIONS = {"float32": FLOAT32, "tf32": Precision("tf32", None), "bf16": Precision("ieee", torch.bfloat16)}
