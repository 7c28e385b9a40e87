"""The arithmetic of a search: what a product may round to. Weights, statistics, theta, the loss and the optimisers stay float32."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Precision:
    """`tf32`: products of float32 on a GPU may round their inputs to 10 bits; `autocast`: the net's products run in this type."""

    tf32: bool
    autocast: torch.dtype | None

    def forward(self, net: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        """`net`, called under this precision: the logits of (x, theta), never narrower than float32."""
        if self.autocast is None:
            return net

        def narrowed(x: Tensor, theta: Tensor) -> Tensor:
            with torch.autocast(x.device.type, self.autocast):
                logits = net(x, theta)
            return logits.float()

        return narrowed


FLOAT32 = Precision(False, None)
PRECISIONS = {"float32": FLOAT32, "tf32": Precision(True, None), "bf16": Precision(False, torch.bfloat16)}
