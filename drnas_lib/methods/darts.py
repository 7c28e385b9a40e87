"""DARTS (Liu et al., ICLR 2019), of the first or the second order as the setting `bilevel` says: nothing is random."""

import torch
from torch import Tensor

from drnas_lib.methods.method import Method


class DARTS(Method):
    """theta = softmax(eta) over the kept operations."""

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.mean()
