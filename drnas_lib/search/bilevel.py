"""The search step: the order of its halves, eta on a validation batch and the weights on a training batch, and their gradients (eq. 2).

There is no host synchronisation within an epoch. Weights that a draw leaves out get a gradient of zero, so that momentum and weight decay
still apply to them. A new order of the halves is a class and a row in `STEPS`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.architecture.regulariser import Regulariser
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.method import Batch, Method
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.retrain.loop import Meter
from drnas_lib.runs.precision import FLOAT32, Precision
from drnas_lib.search.optimisers import Adam, Sgd

PERTURBATION = 1e-2  # DARTS' finite difference: the step along the gradient v is 0.01 / ||v||


@contextmanager
def frozen(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Within the block the parameters need no gradient, so autograd saves no tensors for it."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


class SearchStep:
    """The two alternating steps on one supernet. `method` draws theta; `regulariser` pulls eta to its anchor.

    Each of several processes sees its share of a batch; all draw the same theta, and gradients are averaged over `process_group`.
    An architecture step moves the parameters of `arch_optimiser`: eta, and whatever else the method learns. `forward(x, theta)` calls the
    net in the precision of the search and gives float32 logits. `capturable`: a CUDA graph can replay a step.
    """

    reads_valid = True  # whether a step that moves eta reads a validation batch

    def __init__(
        self,
        net: nn.Module,
        method: Method,
        variables: ArchVariables,
        regulariser: Regulariser,
        arch_optimiser: Adam,
        weight_optimiser: Sgd,
        generator: torch.Generator,
        second_order: bool = False,
        precision: Precision = FLOAT32,
        process_group: ProcessGroup = SINGLE_PROCESS,
        label_smoothing: float = 0.0,
    ):
        self.process_group, self.label_smoothing = process_group, label_smoothing
        self.net, self.method, self.variables, self.regulariser = net, method, variables, regulariser
        self.arch_optimiser, self.weight_optimiser, self.generator = arch_optimiser, weight_optimiser, generator
        self.arch_parameters = arch_optimiser.parameters
        self.forward = precision.forward(net)
        draws = getattr(net, "uses_generator", False)
        self.noise = cast(torch.Generator, net.generator) if draws else None  # random operations of the network
        self.capturable = not (second_order and self.noise)  # a graph cannot rewind a random stream
        self.arch_gradient = self.unrolled_gradient if second_order else self.first_order_gradient
        self.parameters = weight_optimiser.parameters
        self.meter = Meter(variables.eta.device)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of every step: mean cross-entropy in nats, with label smoothing."""
        return F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)

    def momentum(self) -> dict[str, Tensor]:
        """The weights' momentum by parameter name."""
        return {name: v for (name, _), v in zip(self.net.named_parameters(), self.weight_optimiser.velocity)}

    @torch.no_grad()
    def set_momentum(self, velocity: dict[str, Tensor]) -> None:
        """Overwrite the momentum, in place. Raises KeyError for a parameter that `velocity` lacks."""
        for name, value in self.momentum().items():
            value.copy_(velocity[name])

    def tensors(self) -> list[Tensor]:
        """All tensors that a step changes in place."""
        arch = [tensor for parameter in self.arch_parameters for tensor in (parameter, *self.arch_optimiser.state[parameter].values())]
        weights = [*self.parameters, *self.net.buffers(), *self.weight_optimiser.velocity]
        return [*weights, *arch, self.meter.sums]

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        """One whole step of the search, eta first; `valid` may be None if `moves_eta` is false."""
        if moves_eta:
            self.arch_step(train, valid)
        self.weight_step(train)

    def arch_step(self, train: Batch, valid: Batch | None) -> None:
        """Move eta down the gradient of the validation loss; the weights get no gradient and stay."""
        assert valid is not None, "only a step that moves eta on a validation batch comes here"
        gradient, loss, logits = self.arch_gradient(train, valid)
        self.meter.add(1, loss, logits, valid[1])
        self.arch_optimiser.step(gradient)

    def weight_step(self, train: Batch) -> None:
        """Move the weights down the clipped gradient of the training loss; eta gets no gradient and stays."""
        loss, logits = self._pass(train, self.method.sample(self.generator).detach())
        self.weight_optimiser.step(self._gradient(loss, self.parameters))
        self.meter.add(0, loss, logits, train[1])

    def _pass(self, batch: Batch, theta: Tensor) -> tuple[Tensor, Tensor]:
        """(loss, logits) of a forward pass."""
        logits = self.forward(batch[0], theta)
        return self.loss(logits, batch[1]), logits

    def _gradient(self, loss: Tensor, variables: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """d loss / d variables for the batch of all processes; zero for a variable that the loss does not depend on."""
        return self.process_group.mean(torch.autograd.grad(loss, variables, materialize_grads=True))

    def _regularised(self, loss: Tensor) -> Tensor:
        penalty = self.regulariser.penalty
        return loss if penalty is None else loss + penalty(self.variables.eta, self.variables.mask)

    def first_order_gradient(self, train: Batch, valid: Batch) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Gradient of the validation loss at the present weights by all `arch_parameters`: (gradient, loss, logits)."""
        with frozen(self.parameters):
            loss, logits = self._pass(valid, self.method.sample(self.generator))
            return self._gradient(self._regularised(loss), self.arch_parameters), loss, logits

    def unrolled_gradient(self, train: Batch, valid: Batch) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """The same for the validation loss after one SGD step on the training loss, w'(eta) (DARTS, eq. 7 and 8).

        The mixed second derivative is a central difference. The inner step and both sides of the difference use one theta: the noise of
        fresh draws, divided by the tiny step, would hide the difference. Only the real weight step moves the running statistics.
        """
        sgd, learnt = self.weight_optimiser, len(self.arch_parameters)
        theta = self.method.sample(self.generator)  # G E O
        fixed = theta.detach().requires_grad_()
        start = [parameter.detach().clone() for parameter in self.parameters]
        statistics = [buffer.clone() for buffer in self.net.buffers()]

        inner = self._gradient(self._pass(train, theta.detach())[0], self.parameters)
        step = [g + sgd.weight_decay * w + sgd.momentum * v for g, w, v in zip(inner, start, sgd.velocity)]
        self._set_weights(start, step, -sgd.lr)
        loss, logits = self._pass(valid, self.method.sample(self.generator))
        gradient = self._gradient(self._regularised(loss), [*self.arch_parameters, *self.parameters])
        direct, direction = gradient[:learnt], gradient[learnt:]

        radius = PERTURBATION / torch.stack(torch._foreach_norm(direction)).norm().clamp_min(1e-12)
        sides: list[Tensor] = []
        stream = self.noise.get_state() if self.noise else None
        with frozen(self.parameters):
            for sign in (1.0, -1.0):
                if self.noise and stream is not None:
                    self.noise.set_state(stream)  # the same noise and the same dropped paths, for the same reason
                self._set_weights(start, direction, sign * radius)
                sides += self._gradient(self._pass(train, fixed)[0], [fixed])
        with torch.no_grad():
            for now, before in zip([*self.parameters, *self.net.buffers()], [*start, *statistics]):
                now.copy_(before)
        implicit = torch.autograd.grad(theta, self.arch_parameters, (sides[0] - sides[1]) / (2 * radius))
        return tuple(d - sgd.lr * i for d, i in zip(direct, implicit)), loss, logits

    @torch.no_grad()
    def _set_weights(self, start: Sequence[Tensor], direction: Sequence[Tensor], length: Tensor | float) -> None:
        for parameter, origin, towards in zip(self.parameters, start, direction):
            parameter.copy_(origin + length * towards)


class WeightsFirst(SearchStep):
    """The weights on the training batch, then the architecture on the validation batch, as in the code of the NAS-Bench-201 baselines."""

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        self.weight_step(train)
        if moves_eta:
            self.arch_step(train, valid)


class SingleLevel(SearchStep):
    """Weights and architecture at once, by one theta, one training batch and one loss."""

    reads_valid = False

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        if not moves_eta:
            return self.weight_step(train)
        loss, logits = self._pass(train, self.method.sample(self.generator))
        gradient = self._gradient(self._regularised(loss), [*self.arch_parameters, *self.parameters])
        self.arch_optimiser.step(gradient[: len(self.arch_parameters)])
        self.weight_optimiser.step(gradient[len(self.arch_parameters) :])
        self.meter.add(0, loss, logits, train[1])


class WeightsOnly(SearchStep):
    """The weights alone; the method learns between the epochs."""

    reads_valid = False

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        self.weight_step(train)


STEPS: dict[str, type[SearchStep]] = {
    "arch_first": SearchStep,
    "weights_first": WeightsFirst,
    "single_level": SingleLevel,
    "weights_only": WeightsOnly,
}
