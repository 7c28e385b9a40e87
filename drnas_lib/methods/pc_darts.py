"""PC-DARTS (Xu et al., ICLR 2020): DARTS on 1/K of the channels, with learnt weights of whole edges to reduce the noise of few channels.

A second set of variables has one number for each edge; their softmax over the edges that enter a node multiplies these edges' outputs,
the unmixed channels included. The cell is derived from the product of both softmaxes.
"""

import torch
from torch import Tensor, nn

from drnas_lib.architecture.variables import STD, ArchVariables
from drnas_lib.genotype import NB201_EDGES
from drnas_lib.methods.method import Method
from drnas_lib.nets.nb201 import EdgeWeightedNet
from drnas_lib.runs.seeds import derive_seed

NONE = 0  # the position of the operation 'none'
STREAM = 1  # of random numbers for the edges' variables; those of eta start from the seed itself


class PCDARTS(Method):
    """theta (G, E, O + 1): softmax(eta), then the weight of the edge, which the network reads from the last column.

    The variables of the edges start at 1e-3 N(0, 1), as eta does. `edge_normalisation=False` leaves the weights at 1, which is DARTS with
    partial channels. `none_in_cell=False` derives the cell without 'none', as the authors' code does.
    """

    network = EdgeWeightedNet
    together: Tensor

    def __init__(self, variables: ArchVariables, edge_normalisation: bool = True, none_in_cell: bool = True):
        super().__init__(variables)
        eta, targets = variables.eta, [target for _, target in NB201_EDGES]
        stream = torch.Generator().manual_seed(derive_seed(torch.initial_seed(), STREAM))
        drawn = torch.randn(eta.shape[:2], generator=stream, dtype=eta.dtype)
        self.edge_eta = nn.Parameter(STD * drawn.to(eta.device))  # G E
        self.edge_normalisation, self.none_in_cell = edge_normalisation, none_in_cell
        together = torch.tensor([[a == b for b in targets] for a in targets], device=eta.device)
        self.register_buffer("together", together.to(eta.dtype), persistent=False)  # E E: 1 where two edges enter the same node

    def arch_parameters(self) -> list[nn.Parameter]:
        return [self.variables.eta, self.edge_eta] if self.edge_normalisation else [self.variables.eta]

    def edge_weights(self) -> Tensor:
        """(G, E): softmax of `edge_eta` over the edges entering the same node, or 1 everywhere."""
        if not self.edge_normalisation:
            return torch.ones_like(self.edge_eta)
        powers = (self.edge_eta - self.edge_eta.amax(-1, keepdim=True).detach()).exp()
        return powers / (powers @ self.together)

    def sample(self, generator: torch.Generator) -> Tensor:
        return torch.cat([self.mean(), self.edge_weights()[..., None]], -1)

    def scores(self) -> Tensor:
        """The product of both softmaxes; where 'none' is excluded it scores -1, below every other."""
        product = self.mean() * self.edge_weights()[..., None]
        if not self.none_in_cell:
            product = torch.cat([torch.full_like(product[..., :1], -1.0), product[..., NONE + 1 :]], -1)
        return product
