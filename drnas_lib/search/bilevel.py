"""One step of the search: eta on a validation batch, then the weights on a training batch (section 2.2, eq. 2).

Everything stays on the device: no value is read back within an epoch. Weights that a draw leaves out get a gradient of zero, so that their
momentum and decay go on.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.architecture.regulariser import Regulariser
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.runs.precision import FLOAT32, Precision
from drnas_lib.search.optimisers import Sgd, WeightOptimiser

PERTURBATION = 1e-2  # DARTS' finite difference: the step along the gradient v is 0.01 / ||v||

Batch = tuple[Tensor, Tensor]  # x (B, C, H, W), y (B,)


@contextmanager
def frozen(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Within the block the parameters ask for no gradient, so that nothing is kept in memory for it."""
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


class Meter:
    """Loss and accuracy summed on the device, read once an epoch: `weights` and `arch` batches apart."""

    def __init__(self, device: torch.device):
        self.sums = torch.zeros(2, 4, dtype=torch.float64, device=device)  # (weights | arch) x (loss, correct, images, finite batches)

    def add(self, row: int, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        count = torch.full_like(loss, len(y))
        self.sums[row, :3] += torch.stack([loss.detach() * len(y), (logits.argmax(1) == y).sum(), count]).double()
        self.sums[row, 3] += self.sums[row, 0].isfinite()  # a sum that once was not stays so: these are the batches before that

    def read(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Weight loss, weight accuracy in %, arch loss, arch accuracy in %; None where no batch was seen."""
        rows = self.sums.tolist()
        values = [(loss / n, 100 * correct / n) if n else (None, None) for loss, correct, n, _ in rows]
        return *values[0], *values[1]

    def first_not_finite(self, processes: int = 1) -> int | None:
        """The step of the epoch, counted from 1, in which a loss was first not finite; `sums` are those of all processes."""
        steps = [int(finite) // processes + 1 for loss, _, _, finite in self.sums.tolist() if not math.isfinite(loss)]
        return min(steps, default=None)


class Bilevel:
    """The two alternating steps on one supernet. `method` draws theta; `regulariser` pulls eta to its anchor.

    Of several processes each sees its share of a batch; all draw the same theta, and the gradients are averaged over `process_group`.

    What an architecture step moves is what `arch_optimiser` holds: eta, and whatever else a method learns in the same way.

    `forward(x, theta)` calls the net in the precision of the search and gives float32 logits.
    """

    capturable = True  # a step launches the same work every time, reads nothing back and keeps its state in place

    def __init__(
        self,
        net: nn.Module,
        method,
        variables: ArchVariables,
        regulariser: Regulariser,
        arch_optimiser: torch.optim.Optimizer,
        weights: WeightOptimiser,
        generator: torch.Generator,
        second_order: bool = False,
        precision: Precision = FLOAT32,
        process_group: ProcessGroup = SINGLE_PROCESS,
        label_smoothing: float = 0.0,
    ):
        self.process_group, self.label_smoothing = process_group, label_smoothing
        self.net, self.method, self.variables, self.regulariser = net, method, variables, regulariser
        self.arch_optimiser, self.generator = arch_optimiser, generator
        self.learnt = [parameter for group in arch_optimiser.param_groups for parameter in group["params"]]
        self.forward = precision.forward(net)
        self.draws = getattr(net, "draws", False)  # random numbers in the network itself
        self.capturable = not (second_order and self.draws)  # a graph cannot set its random stream back
        self.arch_gradient = self.unrolled_gradient if second_order else self.first_order_gradient
        self.parameters = list(net.parameters())
        self.weight_optimiser = Sgd(self.parameters, weights)
        self.meter = Meter(variables.eta.device)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of every step: mean cross-entropy in nats, with smoothed labels where the settings say so."""
        return F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)

    def set_lr(self, lr: float) -> None:
        """The learning rate of the weights from the next step on."""
        self.weight_optimiser.set_lr(lr)

    def momentum(self) -> dict[str, Tensor]:
        """The weights' momentum by parameter name."""
        return {name: v for (name, _), v in zip(self.net.named_parameters(), self.weight_optimiser.velocity)}

    @torch.no_grad()
    def set_momentum(self, velocity: dict[str, Tensor]) -> None:
        """Overwrite the momentum, in place. Raises KeyError for a parameter that `velocity` lacks."""
        for name, value in self.momentum().items():
            value.copy_(velocity[name])

    def tensors(self) -> list[Tensor]:
        """All that a step changes, each in place."""
        arch = [tensor for parameter in self.learnt for tensor in (parameter, *self.arch_optimiser.state[parameter].values())]
        weights = [*self.parameters, *self.net.buffers(), *self.weight_optimiser.velocity]
        return [*weights, *arch, self.meter.sums]

    def advance(self, train: Batch, valid: Batch | None, moves_eta: bool) -> None:
        """One whole step of the search; `valid` may be None where eta rests."""
        if moves_eta:
            self.arch_step(train, valid)
        self.weight_step(train)

    def arch_step(self, train: Batch, valid: Batch) -> None:
        """Move eta down the gradient of the validation loss; the weights get no gradient and stay."""
        gradient, loss, logits = self.arch_gradient(train, valid)
        self.meter.add(1, loss, logits, valid[1])
        self.move_arch(gradient)

    def move_arch(self, gradient: Sequence[Tensor]) -> None:
        """One step of Adam on all that is learnt about the cell, in the order of `learnt`."""
        for parameter, g in zip(self.learnt, gradient):
            parameter.grad = g
        self.arch_optimiser.step()
        for parameter in self.learnt:
            parameter.grad = None

    def weight_step(self, train: Batch) -> None:
        """Move the weights down the clipped gradient of the training loss; eta gets no gradient and stays."""
        x, y = train
        logits = self.forward(x, self.method.sample(self.generator).detach())
        loss = self.loss(logits, y)
        self.weight_optimiser.step(self._gradient(loss, self.parameters))
        self.meter.add(0, loss, logits, y)

    def _gradient(self, loss: Tensor, variables: Sequence[Tensor]) -> Sequence[Tensor]:
        """d loss / d variables for the batch of all processes, zero where nothing depends on a variable."""
        return self.process_group.mean(torch.autograd.grad(loss, variables, materialize_grads=True))

    def _regularised(self, loss: Tensor) -> Tensor:
        penalty = self.regulariser.penalty
        return loss if penalty is None else loss + penalty(self.variables.eta, self.variables.mask)

    def first_order_gradient(self, train: Batch, valid: Batch) -> tuple[Sequence[Tensor], Tensor, Tensor]:
        """d/d eta, and d/d all else that is `learnt`, of the validation loss at the present weights: (gradient, loss, logits)."""
        x, y = valid
        with frozen(self.parameters):
            logits = self.forward(x, self.method.sample(self.generator))
            loss = self.loss(logits, y)
            return self._gradient(self._regularised(loss), self.learnt), loss, logits

    def unrolled_gradient(self, train: Batch, valid: Batch) -> tuple[Sequence[Tensor], Tensor, Tensor]:
        """The same of the validation loss after one SGD step on the training loss, w'(eta) (DARTS, eq. 7 and 8).

        The mixed second derivative is a central difference. One theta serves the inner step and both sides of the difference: with
        fresh draws their noise, divided by the tiny step, would be all there is. Only the real weight step moves the running statistics.
        """
        lr, learnt = self.weight_optimiser.lr, len(self.learnt)
        theta = self.method.sample(self.generator)  # G E O
        fixed = theta.detach().requires_grad_()
        start = [parameter.detach().clone() for parameter in self.parameters]
        statistics = [buffer.clone() for buffer in self.net.buffers()]

        inner = self._gradient(self._train_loss(train, theta.detach()), self.parameters)
        decay, momentum = self.weight_optimiser.settings.weight_decay, self.weight_optimiser.settings.momentum
        step = [g + decay * w + momentum * v for g, w, v in zip(inner, start, self.weight_optimiser.velocity)]
        self._set_weights(start, step, -lr)
        x, y = valid
        logits = self.forward(x, self.method.sample(self.generator))
        loss = self.loss(logits, y)
        gradient = self._gradient(self._regularised(loss), [*self.learnt, *self.parameters])
        direct, direction = gradient[:learnt], gradient[learnt:]

        radius = PERTURBATION / torch.stack(torch._foreach_norm(direction)).norm().clamp_min(1e-12)
        sides, stream = [], self.net.generator.get_state() if self.draws else None
        with frozen(self.parameters):
            for sign in (1.0, -1.0):
                if self.draws:
                    self.net.generator.set_state(stream)  # the same noise and the same dropped paths, for the same reason
                self._set_weights(start, direction, sign * radius)
                sides += self._gradient(self._train_loss(train, fixed), [fixed])
        with torch.no_grad():
            for now, before in zip([*self.parameters, *self.net.buffers()], [*start, *statistics]):
                now.copy_(before)
        implicit = torch.autograd.grad(theta, self.learnt, (sides[0] - sides[1]) / (2 * radius))
        return [d - lr * i for d, i in zip(direct, implicit)], loss, logits

    def _train_loss(self, train: Batch, theta: Tensor) -> Tensor:
        return self.loss(self.forward(train[0], theta), train[1])

    @torch.no_grad()
    def _set_weights(self, start: list[Tensor], direction: list[Tensor], length: Tensor | float) -> None:
        for parameter, origin, towards in zip(self.parameters, start, direction):
            parameter.copy_(origin + length * towards)
