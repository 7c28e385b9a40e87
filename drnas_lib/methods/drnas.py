"""DrNAS: the mixing weights are drawn from a learnt Dirichlet distribution (section 2)."""

import torch
from torch import Tensor

from drnas_lib.architecture import dirichlet
from drnas_lib.methods.method import Method


class DrNAS(Method):
    """theta ~ Dir(ELU(eta) + 1), one draw for each forward pass, shared by all cells of a group."""

    def sample(self, generator: torch.Generator) -> Tensor:
        eta, mask = self.variables.eta, self.variables.mask
        return dirichlet.sample(dirichlet.concentration(eta), mask, generator).to(eta.dtype)

    def mean(self) -> Tensor:
        """E[theta] (G, E, O), float64, zero for dropped operations; the cell is its argmax (eq. 4)."""
        return dirichlet.mean(dirichlet.concentration(self.variables.eta), self.variables.mask)
