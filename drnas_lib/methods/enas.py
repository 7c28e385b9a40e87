"""ENAS (Pham et al., ICML 2018): a controller draws the cells; between epochs REINFORCE teaches it which do well with shared weights."""

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.candidates import Judged, accuracies
from drnas_lib.methods.controller import Controller
from drnas_lib.methods.method import MethodContext
from drnas_lib.nets.single_path import SinglePathNet
from drnas_lib.spaces.space import Space

BETAS, EPS, CLIP = (0.0, 0.999), 1e-3, 5.0
ENTROPY_WEIGHT = 1e-4
BASELINE_DECAY = 0.99
SEEDS = 2**62


class ENAS(Judged):
    """theta is the one-hot cell that the controller draws. The controller lives on the CPU: it is too small for anything else.

    After every epoch it takes `controller_updates` steps, each on `controller_samples` cells with a batch each. The reward is the accuracy
    (0 to 1) plus a little entropy, whose own gradient reaches the controller too, as in the official code; the baseline moves 1 % towards
    the reward from where the epoch before left it.
    """

    network, capturable, probes = SinglePathNet, False, 16

    def __init__(
        self,
        variables: ArchVariables,
        candidates: int,
        monitored: int,
        controller_lr: float,
        controller_updates: int,
        controller_samples: int,
        seed: int = 0,
    ):
        super().__init__(variables, candidates, monitored)
        groups, edges, self.operations = variables.eta.shape
        self.shape = groups, edges
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.controller = Controller(groups * edges, self.operations)
        self.optimiser = torch.optim.Adam(self.controller.parameters(), controller_lr, BETAS, EPS)
        self.updates, self.samples = controller_updates, controller_samples
        self.baseline: float | None = None
        self.rewards: list[float] = []  # the mean of every update of the last epoch

    @classmethod
    def build(cls, variables: ArchVariables, space: Space, seed: int, options: dict) -> "ENAS":
        return cls(variables, **options, seed=seed)

    def get_extra_state(self) -> dict:
        return {"optimiser": self.optimiser.state_dict(), "baseline": self.baseline}

    def set_extra_state(self, state: dict) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.baseline = state["baseline"]

    def _cells(self, chosen: Tensor) -> Tensor:
        """(N, E) -> one-hot (N, G, E, O) on the CPU, where the choice of what to compute is made."""
        return F.one_hot(chosen.view(-1, *self.shape), self.operations).to(self.variables.eta.dtype)

    @torch.no_grad()
    def sample(self, generator: torch.Generator) -> Tensor:
        return self._cells(self.controller(1, _on_cpu(generator))[0])[0]

    @torch.no_grad()
    def mean(self) -> Tensor:
        """How often the controller chooses each operation, counted in 256 draws that leave its random stream alone."""
        chosen, _, _ = self.controller(256, torch.Generator().manual_seed(0))
        return self._cells(chosen).mean(0).to(self.variables.eta.device)

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        self.rewards = []
        before = self.baseline
        for _ in range(self.updates):
            self._update(context, before)
        count = self.candidates if last else self.monitored
        if count:
            with torch.no_grad():
                cells = self._cells(self.controller(count, _on_cpu(context.chance))[0])
            self.keep_best(context, cells, context.augmented(count))

    def _update(self, context: MethodContext, before: float | None) -> None:
        chosen, log_p, entropy = self.controller(self.samples, _on_cpu(context.chance))
        accuracy = accuracies(context.net, self._cells(chosen), context.augmented(self.samples))
        reward = accuracy + ENTROPY_WEIGHT * entropy
        # As the official code has it: in the first epoch each sample is its own baseline, apart from the entropy.
        baseline = accuracy if before is None else before + (1 - BASELINE_DECAY) * (reward - before)
        self.baseline = float(baseline[-1].detach())
        self.rewards.append(float(reward.detach().mean()))
        self.optimiser.zero_grad(set_to_none=True)
        (-(log_p * (reward - baseline)).mean()).backward()
        torch.nn.utils.clip_grad_norm_(self.controller.parameters(), CLIP)
        self.optimiser.step()


def _on_cpu(generator: torch.Generator) -> torch.Generator:
    """A stream for the controller, begun by a draw from the search's own, wherever that lives."""
    start = torch.randint(SEEDS, (), generator=generator, device=generator.device)
    return torch.Generator().manual_seed(int(start))
