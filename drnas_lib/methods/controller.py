"""The recurrent controller of ENAS (Pham et al., ICML 2018): it writes a cell edge by edge, each choice seeing those before."""

import torch
from torch import Tensor, nn

TEMPERATURE, TANH = 5.0, 2.5  # logits = 2.5 tanh(output / 5): no choice becomes certain
WIDTH, LAYERS = 32, 2
INITIAL = 0.1  # the weights named below start uniform in (-0.1, 0.1), the others as PyTorch has them


class Controller(nn.Module):
    """An LSTM over the `edges` of a cell with a choice of `operations` at each."""

    def __init__(self, edges: int, operations: int):
        super().__init__()
        self.edges = edges
        self.lstm = nn.LSTM(WIDTH, WIDTH, LAYERS)
        self.first = nn.Parameter(torch.empty(WIDTH))
        self.embedding = nn.Embedding(operations, WIDTH)
        self.choice = nn.Linear(WIDTH, operations)
        for weight in (self.first, self.lstm.weight_hh_l0, self.lstm.weight_ih_l0, self.embedding.weight, self.choice.weight):
            nn.init.uniform_(weight, -INITIAL, INITIAL)

    def forward(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw `count` cells: choices (count, E), the log-probability of each cell and the entropy of its choices, (count,), in nats."""
        see, memory = self.first.expand(1, count, -1), None
        chosen, log_p, entropy = [], 0.0, 0.0
        for _ in range(self.edges):
            output, memory = self.lstm(see, memory)
            logits = (TANH * torch.tanh(self.choice(output[0]) / TEMPERATURE)).log_softmax(-1)  # count O
            now = torch.multinomial(logits.detach().exp(), 1, generator=generator)  # count 1
            log_p = log_p + logits.gather(1, now)[:, 0]
            entropy = entropy - (logits.exp() * logits).sum(-1)
            chosen.append(now)
            see = self.embedding(now[:, 0])[None]
        return torch.cat(chosen, 1), log_p, entropy
