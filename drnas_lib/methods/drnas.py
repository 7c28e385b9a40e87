"""DrNAS: the mixing weights are drawn from a learnt Dirichlet distribution (section 2)."""

import torch
from torch import Tensor

from drnas_lib.architecture import dirichlet
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods.method import Method


class DrNAS(Method):
    """theta ~ Dir(ELU(eta) + 1), one draw for each forward pass, shared by all cells of a group."""

    def __init__(self, variables: ArchVariables):
        super().__init__(variables)
        self.pruned()

    def pruned(self) -> None:
        """Take notice of a changed mask; which operations are kept is fixed within a stage, so drawing needs no look at the mask."""
        self.kept = dirichlet.kept_index(self.variables.mask)

    def sample(self, generator: torch.Generator) -> Tensor:
        """theta (G, E, O), differentiable in eta."""
        return dirichlet.sample(dirichlet.concentration(self.variables.eta), self.kept, generator)

    def mean(self) -> Tensor:
        """E[theta] (G, E, O), zero for dropped operations; the cell is its argmax (eq. 4)."""
        return dirichlet.mean(dirichlet.concentration(self.variables.eta), self.variables.mask)
