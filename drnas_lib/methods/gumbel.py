"""Gumbel noise, with which a softmax becomes a draw, and the temperature that a search lowers along the way."""

from collections.abc import Callable

import torch
from torch import Tensor

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.method import Method


def gumbel(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard Gumbel noise: argmax(logits + noise) is a draw from softmax(logits)."""
    uniform = torch.empty_like(like, requires_grad=False).exponential_(generator=generator)
    return -uniform.clamp_min(torch.finfo(like.dtype).tiny).log()


LINES: dict[str, Callable[[int, int], float]] = {  # the share of the way from tau_start to tau_end, of (epoch, epochs)
    "both": lambda epoch, epochs: epoch / max(1, epochs - 1),  # the first epoch runs at tau_start, the last at tau_end
    "start": lambda epoch, epochs: epoch / epochs,  # a step after every epoch: the last runs one step before tau_end
    "end": lambda epoch, epochs: (epoch + 1) / epochs,  # a step before every epoch: the first runs one step after tau_start
}


class Tempered(Method):
    """A method whose samples sharpen: `tau` goes in a line from `tau_start` to `tau_end`; `tau_line` says at which of them epochs run."""

    def __init__(self, variables: ArchVariables, tau_start: float, tau_end: float, tau_line: str = "both"):
        super().__init__(variables)
        self.tau_start, self.tau_end, self.line = tau_start, tau_end, LINES[tau_line]
        self.register_buffer("tau", torch.full((), tau_start, dtype=variables.eta.dtype, device=variables.eta.device))

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        self.tau.fill_(self.tau_start + (self.tau_end - self.tau_start) * self.line(epoch, epochs))

    def softened(self, generator: torch.Generator | None) -> Tensor:
        """softmax((log p + Gumbel noise) / tau), (G, E, O): near one-hot at a low tau."""
        log_p = self.logits().log_softmax(-1)
        return ((log_p + gumbel(log_p, generator)) / self.tau).softmax(-1)

    def mean(self) -> Tensor:
        """p = softmax(eta), the probability of every choice."""
        return self.logits().softmax(-1)
