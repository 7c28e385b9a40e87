"""The interface between the search loop and a method. A new method usually overrides `sample`, and `mean` where it is no softmax."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.data.batches import Batch, DeviceImages
from drnas_lib.nets.nb201 import Nb201SuperNet


@dataclass(frozen=True)
class MethodContext:
    """The supernet with its present weights and the `images` of the architecture half, for a phase between epochs."""

    net: nn.Module
    images: DeviceImages
    batch_size: int  # of the search
    image_generator: torch.Generator  # order and augmentation of images
    theta_generator: torch.Generator  # on the device

    def plain(self, size: int, count: int) -> Iterator[Batch]:
        """`count` full batches without augmentation, in a new random order for every pass. Fewer images than `size` are one batch."""
        size = min(size, len(self.images))
        in_a_pass = len(self.images) // size
        while count > 0:
            yield from itertools.islice(self.images.evaluation(size, self.image_generator), min(count, in_a_pass))
            count -= in_a_pass

    def augmented(self, count: int) -> Iterator[Batch]:
        """`count` random augmented batches of the search's own size."""
        plan = self.images.plan(self.batch_size, self.image_generator, steps=count)
        return (self.images.batch(plan, i) for i in range(count))


def one_hot(chosen: Tensor, like: Tensor) -> Tensor:
    """(..., E, O) on the device of `chosen` (..., E), with 1 at the operations that it names, in the type of `like` (G, E, O).

    F.one_hot would synchronise to check its input.
    """
    return torch.zeros(*chosen.shape, like.shape[-1], dtype=like.dtype, device=chosen.device).scatter_(-1, chosen[..., None], 1)


class Method(nn.Module, ABC):
    """A module, so that its `state_dict`, and thus every checkpoint, holds all that it learns or schedules.

    It is made with the parameters that only it reads, by name, while the seed of the search is PyTorch's. The architecture step moves
    `variables.eta` (G, E, O); `network` is the class of the supernet that takes theta.
    """

    network: type[Nb201SuperNet] = Nb201SuperNet

    def __init__(self, variables: ArchVariables):
        super().__init__()
        self.variables = variables

    @abstractmethod
    def sample(self, generator: torch.Generator) -> Tensor:
        """theta (G, E, O) of one forward pass, shared by all cells of a group and differentiable in what is learnt."""

    def mean(self) -> Tensor:
        """(G, E, O): the expected mixture, shown while the search runs; here softmax(eta) over the kept operations."""
        return self.logits().softmax(-1)

    def scores(self) -> Tensor:
        """(G, E, O): the cell is their argmax."""
        return self.mean()

    def arch_parameters(self) -> list[nn.Parameter]:
        """The parameters that the architecture step moves."""
        return [self.variables.eta]

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Start `epoch` (from 0) of all `epochs`. Schedules change buffers in place, so that a captured graph sees the new value."""

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        """A phase after the weights of an epoch are trained; `last`: the search ends here."""

    def logits(self) -> Tensor:
        """eta with dropped operations at -inf, so that their softmax is zero."""
        return self.variables.eta.masked_fill(~self.variables.mask, -torch.inf)


DERIVATIONS: dict[str, Callable[[Method], Tensor]] = {  # the scores (G, E, O) that a cell is derived from: the space takes the best
    "mean": lambda method: method.scores(),  # of DrNAS the Dirichlet mean (eq. 4)
    "softmax": lambda method: Method.logits(method).softmax(-1),  # as the released code derives
}
