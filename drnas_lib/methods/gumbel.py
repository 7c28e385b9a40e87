"""Gumbel noise, with which a softmax becomes a draw, and the temperature that a search lowers along the way."""

import torch
from torch import Tensor

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.method import Method


def gumbel(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard Gumbel noise: argmax(logits + noise) is a draw from softmax(logits)."""
    uniform = torch.empty_like(like, requires_grad=False).exponential_(generator=generator)
    return -uniform.clamp_min(torch.finfo(like.dtype).tiny).log()


class Tempered(Method):
    """A method whose samples sharpen: `tau` goes in a line from `tau_start` in the first epoch to `tau_end` in the last."""

    def __init__(self, variables: ArchVariables, tau_start: float, tau_end: float):
        super().__init__(variables)
        self.tau_start, self.tau_end = tau_start, tau_end
        self.register_buffer("tau", torch.full((), tau_start, dtype=variables.eta.dtype, device=variables.eta.device))

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        self.tau.fill_(self.tau_start + (self.tau_end - self.tau_start) * epoch / max(1, epochs - 1))

    def softened(self, generator: torch.Generator | None) -> Tensor:
        """softmax((log p + Gumbel noise) / tau), (G, E, O): near one-hot at a low tau."""
        log_p = self.logits().log_softmax(-1)
        return ((log_p + gumbel(log_p, generator)) / self.tau).softmax(-1)

    def mean(self) -> Tensor:
        """p = softmax(eta), the probability of every choice."""
        return self.logits().softmax(-1)
