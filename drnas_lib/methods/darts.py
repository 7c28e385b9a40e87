"""DARTS (Liu et al., ICLR 2019): the mixing weights are the softmax of eta, nothing is random.

The setting `bilevel` of the architecture step chooses the first or the second order.
"""

import torch
from torch import Tensor

from drnas_lib.methods.method import Method


class DARTS(Method):
    """theta = softmax(eta) over the kept operations."""

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.mean()
