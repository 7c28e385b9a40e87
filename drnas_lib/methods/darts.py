"""DARTS (Liu et al., ICLR 2019): the mixing weights are the softmax of eta, nothing is random.

First or second order is the architecture step's affair (`bilevel`), not the method's.
"""

from torch import Tensor

from drnas_lib.methods.method import Method


class DARTS(Method):
    """theta = softmax(eta) over the kept operations."""

    def sample(self, generator) -> Tensor:
        return self.logits().softmax(-1)

    def mean(self) -> Tensor:
        return self.logits().softmax(-1)
