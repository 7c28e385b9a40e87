"""SGD and Adam whose every number lives on the device and in place: a step reads nothing back and allocates no state.

So a graph captured once sees each change of the learning rate, and a checkpoint holds whole tensors only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-8  # Adam's, as in PyTorch


def clipped(gradient: Sequence[Tensor], largest: float) -> Sequence[Tensor]:
    """`gradient` scaled down to the norm `largest` where it is longer, as one vector; the given tensors stay as they are."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradient)))
    return torch._foreach_mul(gradient, (largest / (norm + 1e-6)).clamp(max=1.0))


@dataclass(frozen=True)
class WeightOptimiser:
    """SGD settings; the learning rate comes from the schedule."""

    momentum: float
    weight_decay: float
    grad_clip: float  # largest norm of the whole gradient
    nesterov: bool = False


class Sgd:
    """PyTorch's SGD with momentum and weight decay, on a gradient clipped to a norm; `lr` is a scalar on the device."""

    def __init__(self, parameters: Sequence[Tensor], settings: WeightOptimiser):
        self.parameters, self.settings = list(parameters), settings
        self.lr = self.parameters[0].new_zeros(())
        self.velocity = [torch.zeros_like(parameter) for parameter in self.parameters]  # zero: the first step's becomes the gradient

    def set_lr(self, lr: float) -> None:
        self.lr.fill_(lr)

    @torch.no_grad()
    def step(self, gradient: Sequence[Tensor]) -> None:
        """Move the parameters down `gradient`, one tensor each, which is left as it is."""
        pull = clipped(gradient, self.settings.grad_clip)
        torch._foreach_add_(pull, self.parameters, alpha=self.settings.weight_decay)
        torch._foreach_mul_(self.velocity, self.settings.momentum)
        torch._foreach_add_(self.velocity, pull)
        step = self.velocity
        if self.settings.nesterov:
            step = torch._foreach_add(pull, self.velocity, alpha=self.settings.momentum)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(step, self.lr))


class Adam(torch.optim.Optimizer):
    """PyTorch's Adam, weight decay joining the gradient; the count of steps is a float64 scalar on the device, there from the start.

    With `grad_clip`, the gradient of all parameters together is first clipped to that norm.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        grad_clip: float | None = None,
    ):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))
        self.grad_clip = grad_clip
        for group in self.param_groups:
            for parameter in group["params"]:
                count = torch.zeros((), dtype=torch.float64, device=parameter.device)
                moments = torch.zeros_like(parameter), torch.zeros_like(parameter)
                self.state[parameter] = {"step": count, "exp_avg": moments[0], "exp_avg_sq": moments[1]}

    @torch.no_grad()
    def step(self) -> None:
        moved = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        gradient = [parameter.grad for parameter, _ in moved]
        if self.grad_clip is not None:
            gradient = clipped(gradient, self.grad_clip)
        for (parameter, group), own in zip(moved, gradient):
            self._move(parameter, own, group)

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict) -> None:
        (first, second), state = group["betas"], self.state[parameter]
        count, mean, square = state["step"].add_(1), state["exp_avg"], state["exp_avg_sq"]
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = square.sqrt() / (1 - second**count).sqrt() + EPS
        parameter.sub_(mean / spread * (group["lr"] / (1 - first**count)))
