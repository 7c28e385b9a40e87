"""The recurrent controller of ENAS (Pham et al., ICML 2018): it writes a cell edge by edge, each choice seeing those before."""

import torch
from torch import Tensor, nn

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
