"""Random search with parameter sharing (Li & Talwalkar, UAI 2019): a uniformly random cell for every batch, then the best of many."""

from collections.abc import Iterator

import torch
from torch import Tensor

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.candidates import BestOfCandidates
from drnas_lib.methods.method import Batch, MethodContext


class RSPS(BestOfCandidates):
    """theta is one-hot and uniform; only the weights are trained. A cell is judged on `candidate_batch` images, not augmented."""

    def __init__(self, variables: ArchVariables, candidates: int, monitored: int, candidate_batch: int):
        super().__init__(variables, candidates, monitored)
        self.candidate_batch = candidate_batch

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        eta = self.variables.eta
        return self.one_hot(torch.randint(eta.shape[-1], (count, *eta.shape[:2]), generator=generator, device=eta.device))

    def batches(self, context: MethodContext, count: int) -> Iterator[Batch]:
        return context.plain(self.candidate_batch, count)

    def mean(self) -> Tensor:
        return torch.full_like(self.variables.eta, 1 / self.variables.eta.shape[-1])
