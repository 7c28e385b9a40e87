"""Methods that compare cells with shared weights, one batch in evaluation mode for each cell, and keep the best; the simplest is RSPS."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.data.batches import Batch
from drnas_lib.methods.method import Method, MethodContext, one_hot
from drnas_lib.nets.single_path import SinglePathNet


@torch.no_grad()
def accuracies(net: nn.Module, cells: Tensor, batches: Iterable[Batch]) -> Tensor:
    """Accuracy (0 to 1), (N,) on the CPU, of each one-hot cell of `cells` (N, G, E, O) on its own batch.

    Leaves the net in training mode. Synchronises with the device once, after the last batch.
    """
    net.eval()
    correct = [(net(x, cell).argmax(1) == y).float().mean() for cell, (x, y) in zip(cells, batches, strict=True)]
    net.train()
    return torch.stack(correct).cpu()


class BestOfCandidates(Method):
    """A method that trains one random cell per batch. After every epoch it draws cells and keeps the best as its answer.

    It draws `candidates` cells after the last epoch, and `monitored` cells after the others, for the history. `best` (G, E) holds the
    operations of the answer.
    """

    network = SinglePathNet
    best: Tensor

    def __init__(self, variables: ArchVariables, candidates: int, monitored: int):
        super().__init__(variables)
        self.candidates, self.monitored = candidates, monitored
        self.register_buffer("best", torch.zeros(variables.eta.shape[:2], dtype=torch.long, device=variables.eta.device))

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` random one-hot cells (count, G, E, O)."""

    @abstractmethod
    def batches(self, context: MethodContext, count: int) -> Iterator[Batch]:
        """`count` batches that the candidates are judged on."""

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.draw(1, generator)[0]

    def scores(self) -> Tensor:
        """One-hot at the best cell so far."""
        return one_hot(self.best, self.variables.eta)

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        """Make the best of the candidates, the first of equals, the answer."""
        count = self.candidates if last else self.monitored
        if count:
            cells = self.draw(count, context.theta_generator)
            best = accuracies(context.net, cells, self.batches(context, count)).argmax()
            self.best.copy_(cells[int(best)].argmax(-1))


class RSPS(BestOfCandidates):
    """Random search with parameter sharing (Li & Talwalkar, UAI 2019): theta is one-hot and uniform, and only the weights are trained.

    A cell is judged on `candidate_batch` images, not augmented.
    """

    def __init__(self, variables: ArchVariables, candidates: int, monitored: int, candidate_batch: int):
        super().__init__(variables, candidates, monitored)
        self.candidate_batch = candidate_batch

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        eta = self.variables.eta
        return one_hot(torch.randint(eta.shape[-1], (count, *eta.shape[:2]), generator=generator, device=eta.device), eta)

    def batches(self, context: MethodContext, count: int) -> Iterator[Batch]:
        return context.plain(self.candidate_batch, count)

    def mean(self) -> Tensor:
        return torch.full_like(self.variables.eta, 1 / self.variables.eta.shape[-1])
