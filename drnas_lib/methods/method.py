"""What the search loop asks of a method. A new method overrides what it does differently, usually `sample` and `mean`."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.data.batches import DeviceImages
from drnas_lib.nets.nb201 import SuperNet
from drnas_lib.spaces.space import Space

Batch = tuple[Tensor, Tensor]  # x (B, C, H, W), y (B,)


@dataclass(frozen=True)
class MethodContext:
    """What a method may look at between epochs: the supernet with its present weights, and `images` of the architecture half."""

    net: SuperNet
    images: DeviceImages
    batch_size: int  # of the search
    order: torch.Generator  # of images and augmentation
    chance: torch.Generator  # of theta, on the device

    def plain(self, size: int, count: int) -> Iterator[Batch]:
        """`count` full batches, shuffled, not augmented, shuffled anew when used up; of all images where these are fewer than `size`."""
        size = min(size, len(self.images))
        passes = (self.images.evaluation(size, self.order) for _ in itertools.repeat(None))
        return itertools.islice((batch for batch in itertools.chain.from_iterable(passes) if len(batch[1]) == size), count)

    def augmented(self, count: int) -> Iterator[Batch]:
        """`count` random augmented batches of the search's own size."""
        plan = self.images.plan(self.batch_size, self.order, steps=count, replacement=True)
        return (self.images.batch(plan, i) for i in range(count))


class Method(nn.Module, ABC):
    """A module, so that all that it learns or schedules is in its `state_dict` and thus in every checkpoint.

    `variables.eta` (G, E, O) is what the architecture step moves; `network` is the class of supernet that `theta` is handed to.
    """

    network: type[SuperNet] = SuperNet
    capturable = True  # whether a GPU can replay its steps: false where `network` reads the choice of operations back
    probes = 1  # draws over which the memory of a step is averaged

    def __init__(self, variables: ArchVariables):
        super().__init__()
        self.variables = variables

    @classmethod
    def build(cls, variables: ArchVariables, space: Space, seed: int, options: dict) -> Self:
        """The method of a search; `options` are the parameters that only this method reads."""
        return cls(variables, **options)

    @abstractmethod
    def sample(self, generator: torch.Generator | None) -> Tensor:
        """theta (G, E, O) of one forward pass, shared by all cells of a group and differentiable in what is learnt."""

    @abstractmethod
    def mean(self) -> Tensor:
        """(G, E, O): the expected mixture, shown while the search runs."""

    def scores(self) -> Tensor:
        """(G, E, O): the cell is their argmax."""
        return self.mean()

    def learnt(self) -> list[nn.Parameter]:
        """What the architecture step moves."""
        return [self.variables.eta]

    def pruned(self) -> None:
        """Take notice of a changed mask."""

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """`epoch` (from 0) of all `epochs` starts. Schedules live in buffers, which a captured graph reads anew."""

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        """A phase of its own after the weights of an epoch are trained; `last`: the search ends here."""

    def logits(self) -> Tensor:
        """eta with dropped operations at -inf, so that a softmax gives them nothing."""
        return self.variables.eta.masked_fill(~self.variables.mask, -torch.inf)
