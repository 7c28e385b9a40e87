"""The architecture variables of a search: eta, and the mask of the candidates; `prune_` drops the weakest between stages."""

import torch
from torch import Tensor, nn

MEAN, STD = 0.0, 1e-3  # of eta at the start: DARTS and DrNAS


class ArchVariables(nn.Module):
    """`eta` (G, E, O), drawn from N(mean, std²), and `mask` (G, E, O), true where an operation is still a candidate.

    The mask starts as `available`, None for all; where it is false, eta is 0.
    eta = 0 is the anchor: there every concentration is 1 and every mixture is equally likely (section 2.2).
    """

    mask: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        available: Tensor | None = None,
        mean: float = MEAN,
        std: float = STD,
    ):
        super().__init__()
        mask = torch.ones(shape, dtype=torch.bool) if available is None else available
        drawn = mean + std * torch.randn(shape, generator=generator, dtype=dtype)
        self.eta = nn.Parameter(drawn * mask)
        self.register_buffer("mask", mask.clone())

    @torch.no_grad()
    def prune_(self, keep: int) -> None:
        """Keep the `keep` operations with the largest eta, so the largest beta, on every edge; a dropped eta returns to the anchor."""
        ranked = self.eta.masked_fill(~self.mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)
        kept = torch.zeros_like(self.mask).scatter_(-1, ranked[..., :keep], True)
        self.mask.copy_(kept)
        self.eta.masked_fill_(~kept, 0.0)
