"""SGD and Adam whose every number lives on the device and in place: a step reads nothing back and allocates no state.

So a graph captured once sees each change of the learning rate, and a checkpoint holds whole tensors only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-8  # Adam's, as in PyTorch


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
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradient)))
        clipped = torch._foreach_mul(gradient, (self.settings.grad_clip / (norm + 1e-6)).clamp(max=1.0))
        torch._foreach_add_(clipped, self.parameters, alpha=self.settings.weight_decay)
        torch._foreach_mul_(self.velocity, self.settings.momentum)
        torch._foreach_add_(self.velocity, clipped)
        step = self.velocity
        if self.settings.nesterov:
            step = torch._foreach_add(clipped, self.velocity, alpha=self.settings.momentum)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(step, self.lr))


class Adam(torch.optim.Optimizer):
    """PyTorch's Adam, weight decay joining the gradient; the count of steps is a float64 scalar on the device, there from the start."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.9, 0.999), weight_decay: float = 0.0
    ):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))
        for group in self.param_groups:
            for parameter in group["params"]:
                count = torch.zeros((), dtype=torch.float64, device=parameter.device)
                moments = torch.zeros_like(parameter), torch.zeros_like(parameter)
                self.state[parameter] = {"step": count, "exp_avg": moments[0], "exp_avg_sq": moments[1]}

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict) -> None:
        (first, second), state = group["betas"], self.state[parameter]
        count, mean, square = state["step"].add_(1), state["exp_avg"], state["exp_avg_sq"]
        gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = square.sqrt() / (1 - second**count).sqrt() + EPS
        parameter.sub_(mean / spread * (group["lr"] / (1 - first**count)))
