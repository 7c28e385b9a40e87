"""The regulariser of strength lambda that pulls eta towards the anchor, in the three forms of the paper and its code."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from drnas_lib.architecture.dirichlet import concentration, kl_to_flat


@dataclass(frozen=True)
class Regulariser:
    """`decay` goes to Adam as its weight decay; `penalty(eta, mask)`, a scalar, is added to the validation loss."""

    decay: float
    penalty: Callable[[Tensor, Tensor], Tensor] | None


REGULARISERS: dict[str, Callable[[float], Regulariser]] = {  # of lam
    # The released code: weight decay inside Adam, so lam * eta joins the gradient and is rescaled with it.
    "adam_decay": lambda lam: Regulariser(lam, None),
    # The paper's text (section 2.2): lam times the l2 norm of eta, the distance to the anchor, summed over the cell groups.
    "penalty": lambda lam: Regulariser(0.0, lambda eta, mask: lam * torch.linalg.vector_norm((eta * mask).flatten(1), dim=1).sum()),
    # Appendix A.5: lam times KL(Dir(beta) || Dir(1)), summed over the edges.
    "kl": lambda lam: Regulariser(0.0, lambda eta, mask: lam * kl_to_flat(concentration(eta), mask).sum()),
}
