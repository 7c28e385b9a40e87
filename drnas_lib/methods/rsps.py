"""Random search with parameter sharing (Li & Talwalkar, UAI 2019): a uniformly random cell for every batch, then the best of many."""

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.candidates import Judged
from drnas_lib.methods.method import MethodContext
from drnas_lib.nets.single_path import SinglePathNet


class RSPS(Judged):
    """theta is one-hot and uniform; nothing is learnt but the weights. A cell is judged on `candidate_batch` images, not augmented."""

    network, capturable, probes = SinglePathNet, False, 16

    def __init__(self, variables: ArchVariables, candidates: int, monitored: int, candidate_batch: int):
        super().__init__(variables, candidates, monitored)
        self.candidate_batch = candidate_batch

    def _draw(self, count: int, generator: torch.Generator | None) -> Tensor:
        eta = self.variables.eta
        chosen = torch.randint(eta.shape[-1], (count, *eta.shape[:2]), generator=generator, device=eta.device)
        return F.one_hot(chosen, eta.shape[-1]).to(eta.dtype)  # count G E O

    def sample(self, generator: torch.Generator | None) -> Tensor:
        return self._draw(1, generator)[0]

    def mean(self) -> Tensor:
        return torch.full_like(self.variables.eta, 1 / self.variables.eta.shape[-1])

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        count = self.candidates if last else self.monitored
        if count:
            self.keep_best(context, self._draw(count, context.chance), context.plain(self.candidate_batch, count))
