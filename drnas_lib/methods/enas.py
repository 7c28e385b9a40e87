"""ENAS (Pham et al., ICML 2018): a controller draws the cells; between epochs REINFORCE teaches it which do well with shared weights."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.data.batches import Batch
from drnas_lib.methods.candidates import BestOfCandidates, accuracies
from drnas_lib.methods.method import MethodContext, one_hot

BETAS, EPS, CLIP = (0.0, 0.999), 1e-3, 5.0
ENTROPY_WEIGHT = 1e-4
BASELINE_DECAY = 0.99
SEEDS = 2**62
TEMPERATURE, TANH = 5.0, 2.5  # logits = 2.5 tanh(output / 5): no choice becomes certain
WIDTH, LAYERS = 32, 2
INITIAL = 0.1  # the parameters named below start uniform in (-0.1, 0.1), the others as PyTorch initialises them


class Controller(nn.Module):
    """An LSTM over the `edges` of a cell with a choice of `operations` at each."""

    def __init__(self, edges: int, operations: int):
        super().__init__()
        self.edges = edges
        self.lstm = nn.LSTM(WIDTH, WIDTH, LAYERS)
        self.first = nn.Parameter(torch.empty(WIDTH))
        self.embedding = nn.Embedding(operations, WIDTH)
        self.choice = nn.Linear(WIDTH, operations)
        for name in ("first", "lstm.weight_hh_l0", "lstm.weight_ih_l0", "embedding.weight", "choice.weight"):
            nn.init.uniform_(self.get_parameter(name), -INITIAL, INITIAL)

    def forward(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw `count` cells: choices (count, E), the log-probability of each cell and the entropy of its choices, (count,), in nats."""
        inputs, memory = self.first.expand(1, count, -1), None
        chosen, log_p, entropy = [], torch.zeros(count), torch.zeros(count)
        for _ in range(self.edges):
            output, memory = self.lstm(inputs, memory)
            logits = (TANH * torch.tanh(self.choice(output[0]) / TEMPERATURE)).log_softmax(-1)  # count O
            choice = torch.multinomial(logits.detach().exp(), 1, generator=generator)  # count 1
            log_p = log_p + logits.gather(1, choice)[:, 0]
            entropy = entropy - (logits.exp() * logits).sum(-1)
            chosen.append(choice)
            inputs = self.embedding(choice[:, 0])[None]
        return torch.cat(chosen, 1), log_p, entropy


class ENAS(BestOfCandidates):
    """theta is the one-hot cell that the controller draws. The controller runs on the CPU, because it is small.

    After every epoch it takes `controller_updates` steps, each on `controller_samples` cells with a batch each. The reward is the accuracy
    (0 to 1) plus a little entropy, whose own gradient reaches the controller too, as in the official code; the baseline moves 1 % towards
    the reward from its value at the end of the epoch before.
    """

    def __init__(
        self,
        variables: ArchVariables,
        candidates: int,
        monitored: int,
        controller_lr: float,
        controller_updates: int,
        controller_samples: int,
    ):
        super().__init__(variables, candidates, monitored)
        groups, edges, operations = variables.eta.shape
        self.controller = Controller(groups * edges, operations)
        self.optimiser = torch.optim.Adam(self.controller.parameters(), controller_lr, BETAS, EPS)
        self.updates, self.samples = controller_updates, controller_samples
        self.baseline: float | None = None

    def get_extra_state(self) -> dict:
        return {"optimiser": self.optimiser.state_dict(), "baseline": self.baseline}

    def set_extra_state(self, state: dict) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.baseline = state["baseline"]

    def _cells(self, chosen: Tensor) -> Tensor:
        """(N, G E) -> one-hot (N, G, E, O) on the CPU, where the network decides which operations to launch."""
        return one_hot(chosen.view(-1, *self.best.shape), self.variables.eta)

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        return self._cells(self.controller(count, _on_cpu(generator))[0])

    def batches(self, context: MethodContext, count: int) -> Iterator[Batch]:
        return context.augmented(count)

    @torch.no_grad()
    def mean(self) -> Tensor:
        """How often the controller chooses each operation, counted in 256 draws that leave its random stream alone."""
        chosen, _, _ = self.controller(256, torch.Generator().manual_seed(0))
        return self._cells(chosen).mean(0).to(self.variables.eta.device)

    def after_epoch(self, context: MethodContext, last: bool) -> None:
        before = self.baseline
        for _ in range(self.updates):
            self._update(context, before)
        super().after_epoch(context, last)

    def _update(self, context: MethodContext, before: float | None) -> None:
        chosen, log_p, entropy = self.controller(self.samples, _on_cpu(context.theta_generator))
        accuracy = accuracies(context.net, self._cells(chosen), context.augmented(self.samples))
        reward = accuracy + ENTROPY_WEIGHT * entropy
        # As the official code has it: in the first epoch each sample is its own baseline, apart from the entropy.
        baseline = accuracy if before is None else before + (1 - BASELINE_DECAY) * (reward - before)
        self.baseline = float(baseline[-1].detach())
        self.optimiser.zero_grad(set_to_none=True)
        (-(log_p * (reward - baseline)).mean()).backward()
        torch.nn.utils.clip_grad_norm_(self.controller.parameters(), CLIP)
        self.optimiser.step()


def _on_cpu(generator: torch.Generator) -> torch.Generator:
    """A generator on the CPU, seeded by a draw from the search's own, which may be on another device."""
    start = torch.randint(SEEDS, (), generator=generator, device=generator.device)
    return torch.Generator().manual_seed(int(start))
