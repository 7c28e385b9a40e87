"""The arithmetic of a search or a training: what the products of convolutions may round to.

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
    """`products`: how cuDNN multiplies float32 in convolutions; `dtype`: what they round inputs to, None: nothing."""

    products: str
    dtype: torch.dtype | None

    def forward(self, net: nn.Module) -> Callable[..., Tensor]:
        """`net` as a search calls it, (x, theta) -> logits, or a training, x -> logits."""
        if self.dtype is None:
            return net

        def narrowed(*inputs: Tensor) -> Tensor:
            with _Narrow(self.dtype):
                return net(*inputs)

        return narrowed

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Within the block a GPU multiplies float32 as this precision says; the settings of before come back after it."""
        wanted = {torch.backends.cuda.matmul: "ieee", torch.backends.cudnn.conv: self.products}
        before = {place: place.fp32_precision for place in wanted}
        try:
            for place, value in wanted.items():
                place.fp32_precision = value
            yield
        finally:
            for place, value in before.items():
                place.fp32_precision = value


class _Narrow(TorchFunctionMode):
    """Convolutions called within the block take inputs rounded to `dtype`, add up in float32 and give their input's type.

    So do their gradients. Pooling on a CPU is a convolution too, but called by another name, and stays float32. Autocast would also
    narrow the classifier.
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
