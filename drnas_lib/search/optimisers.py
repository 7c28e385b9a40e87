"""SGD, Adam and gradient clipping of a search: all numbers on the device, updated in place, without a host synchronisation.

So a captured CUDA graph sees each change of the learning rate, and a checkpoint holds complete tensors only.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

EPS = 1e-8  # Adam's, as in PyTorch


Tensors = list[Tensor] | tuple[Tensor, ...]  # as the _foreach functions of PyTorch take them


def clipped(gradient: Tensors, largest: float) -> tuple[Tensor, ...]:
    """A copy of `gradient`, scaled down if its norm as one vector exceeds `largest`."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradient)))
    return torch._foreach_mul(gradient, (largest / (norm + 1e-6)).clamp(max=1.0))


class Sgd:
    """PyTorch's SGD with momentum and weight decay; `grad_clip` is the largest norm of the gradient, `lr` a scalar on the device."""

    def __init__(self, parameters: Iterable[nn.Parameter], momentum: float, weight_decay: float, grad_clip: float, nesterov: bool = False):
        self.parameters = tuple(parameters)
        self.momentum, self.weight_decay, self.grad_clip, self.nesterov = momentum, weight_decay, grad_clip, nesterov
        self.lr = self.parameters[0].new_zeros(())
        self.velocity = [torch.zeros_like(parameter) for parameter in self.parameters]  # the first step adds the gradient

    def set_lr(self, lr: float) -> None:
        """Use this learning rate from the next step on."""
        self.lr.fill_(lr)

    @torch.no_grad()
    def step(self, gradient: Tensors) -> None:
        """Move the parameters down `gradient`, which has one tensor for each and is not changed."""
        decayed = clipped(gradient, self.grad_clip)
        torch._foreach_add_(decayed, self.parameters, alpha=self.weight_decay)
        torch._foreach_mul_(self.velocity, self.momentum)
        torch._foreach_add_(self.velocity, decayed)
        step: Tensors = self.velocity
        if self.nesterov:
            step = torch._foreach_add(decayed, self.velocity, alpha=self.momentum)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(step, self.lr))


class Adam:
    """PyTorch's Adam with weight decay in the gradient; the count of steps is a float64 scalar on the device from the start.

    `grad_clip` is the largest norm of the gradient of all parameters together. It is no torch.optim.Optimizer: the first of those imports
    the compiler, and a search would begin two seconds later.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        grad_clip: float | None = None,
    ):
        self.parameters = tuple(parameters)
        self.lr, self.betas, self.weight_decay, self.grad_clip = lr, betas, weight_decay, grad_clip
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        for parameter in self.parameters:
            count = torch.zeros((), dtype=torch.float64, device=parameter.device)
            moments = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
            self.state[parameter] = {"step": count, **moments}

    @torch.no_grad()
    def step(self, gradient: Tensors) -> None:
        """Move the parameters down `gradient`, which has one tensor for each and is not changed."""
        if self.grad_clip is not None:
            gradient = clipped(gradient, self.grad_clip)
        first, second = self.betas
        for parameter, g in zip(self.parameters, gradient):
            state = self.state[parameter]
            count, mean, square = state["step"].add_(1), state["exp_avg"], state["exp_avg_sq"]
            g = g.add(parameter, alpha=self.weight_decay)
            mean.lerp_(g, 1 - first)
            square.mul_(second).addcmul_(g, g, value=1 - second)
            spread = square.sqrt() / (1 - second**count).sqrt() + EPS
            parameter.sub_(mean / spread * (self.lr / (1 - first**count)))

    def state_dict(self) -> dict:
        """The state of each parameter by its number, as torch.optim has it."""
        return {"state": {number: dict(self.state[parameter]) for number, parameter in enumerate(self.parameters)}}

    @torch.no_grad()
    def load_state_dict(self, saved: dict) -> None:
        """Overwrite the state, in place. Raises KeyError for a parameter that `saved` lacks."""
        for number, parameter in enumerate(self.parameters):
            for name, value in self.state[parameter].items():
                value.copy_(saved["state"][number][name])
