"""SNAS (Xie et al., ICLR 2019): the mixing weights are drawn from a concrete distribution, a relaxation of the choice by softmax(eta)."""

import torch
from torch import Tensor

from drnas_lib.methods.gumbel import GumbelSoftmax


class SNAS(GumbelSoftmax):
    """theta = softmax((log p + Gumbel noise) / tau); every operation is computed."""

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.relaxed(generator)
