"""The arithmetic of a search: what a product may round to.

Weights, running statistics, normalisation, theta, eta, the loss and both optimisers are float32 in every precision; only products change.
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
    """`products`: PyTorch's name of how a GPU multiplies float32; `convolutions`: the type they run in, None for that of their input."""

    products: str
    convolutions: torch.dtype | None

    def forward(self, net: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        """`net` as it is called in a search: (x, theta) -> logits."""
        if self.convolutions is None:
            return net

        def narrowed(x: Tensor, theta: Tensor) -> Tensor:
            with _Narrow(self.convolutions):
                return net(x, theta)

        return narrowed

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Products of float32 on a GPU as this precision has them within the block; the settings of before come back after it."""
        places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
        before = [place.fp32_precision for place in places]
        for place in places:
            place.fp32_precision = self.products
        try:
            yield
        finally:
            for place, value in zip(places, before):
                place.fp32_precision = value


class _Narrow(TorchFunctionMode):
    """Convolutions called within the block take inputs rounded to `dtype`, add up in float32 and give their input's type.

    So do their gradients where autograd finds them; the derivative that nets/mixed_sum.py writes out stays float32. Autocast would also
    narrow the products inside normalisation and pooling, whose sums need the digits.
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
