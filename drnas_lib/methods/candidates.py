"""Cells judged with shared weights: each on one batch of the architecture half, in eval mode; the best one is the method's answer."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.methods.method import Batch, Method, MethodContext


@torch.no_grad()
def accuracies(net: torch.nn.Module, cells: Tensor, batches: Iterable[Batch]) -> Tensor:
    """Share of images classified right, (N,) on the CPU, by each one-hot cell of `cells` (N, G, E, O) on its own batch.

    The net is left in training mode. The answers are fetched once, after the last batch.
    """
    net.eval()
    right = [(net(x, cell).argmax(1) == y).float().mean() for cell, (x, y) in zip(cells, batches, strict=True)]
    net.train()
    return torch.stack(right).cpu()


class Judged(Method):
    """A method without mixing weights to read a cell from: it draws `candidates` cells at the end and keeps the best.

    In the other epochs it draws `monitored`, which is what the history shows. `best` (G, E) is the present answer.
    """

    def __init__(self, variables, candidates: int, monitored: int):
        super().__init__(variables)
        self.candidates, self.monitored = candidates, monitored
        self.register_buffer("best", torch.zeros(variables.eta.shape[:2], dtype=torch.long, device=variables.eta.device))

    def scores(self) -> Tensor:
        """One-hot at the best cell so far."""
        return F.one_hot(self.best, self.variables.eta.shape[-1]).to(self.variables.eta.dtype)

    def keep_best(self, context: MethodContext, cells: Tensor, batches: Iterable[Batch]) -> None:
        """Make the best of `cells` (N, G, E, O), the first of equals, the answer."""
        self.best.copy_(cells[int(accuracies(context.net, cells, batches).argmax())].argmax(-1))
