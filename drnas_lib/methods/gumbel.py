"""The methods that draw from a Gumbel-softmax distribution, whose temperature a search lowers."""

from collections.abc import Callable

import torch
from torch import Tensor

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.method import Method, one_hot
from drnas_lib.nets.single_path import SinglePathNet


def gumbel(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise in the shape of `like`: argmax(logits + noise) is a draw from softmax(logits)."""
    waits = torch.empty_like(like, requires_grad=False).exponential_(generator=generator)
    return -waits.clamp_min(torch.finfo(like.dtype).tiny).log()


TAU_LINES: dict[str, Callable[[int, int], float]] = {  # the share of the way from tau_start to tau_end, of (epoch, epochs)
    "both": lambda epoch, epochs: epoch / max(1, epochs - 1),  # the first epoch runs at tau_start, the last at tau_end
    "start": lambda epoch, epochs: epoch / epochs,  # a step after every epoch: the last runs one step before tau_end
    "end": lambda epoch, epochs: (epoch + 1) / epochs,  # a step before every epoch: the first runs one step after tau_start
}


class GumbelSoftmax(Method):
    """The temperature `tau` goes linearly from `tau_start` to `tau_end`; `tau_line` says which of the two ends an epoch runs at."""

    tau: Tensor

    def __init__(self, variables: ArchVariables, tau_start: float, tau_end: float, tau_line: str = "both"):
        super().__init__(variables)
        self.tau_start, self.tau_end, self.line = tau_start, tau_end, TAU_LINES[tau_line]
        self.register_buffer("tau", torch.full((), tau_start, dtype=variables.eta.dtype, device=variables.eta.device))

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        self.tau.fill_(self.tau_start + (self.tau_end - self.tau_start) * self.line(epoch, epochs))

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """softmax((log p + Gumbel noise) / tau), (G, E, O): near one-hot at a low tau."""
        log_p = self.logits().log_softmax(-1)
        return ((log_p + gumbel(log_p, generator)) / self.tau).softmax(-1)


class SNAS(GumbelSoftmax):
    """SNAS (Xie et al., ICLR 2019): theta = softmax((log p + Gumbel noise) / tau); every operation is computed."""

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.relaxed(generator)


class GDAS(GumbelSoftmax):
    """GDAS (Dong & Yang, CVPR 2019): one-hot at the largest entry of the relaxed draw, with its gradient (straight-through)."""

    network = SinglePathNet

    def sample(self, generator: torch.Generator) -> Tensor:
        soft = self.relaxed(generator)
        hard = one_hot(soft.argmax(-1), soft.detach())
        return hard + (soft - soft.detach())  # soft - soft is exactly zero, so that the value stays one-hot
