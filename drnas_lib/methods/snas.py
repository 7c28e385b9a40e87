"""SNAS (Xie et al., ICLR 2019): the mixing weights are a softened draw from softmax(eta), a concrete distribution."""

from torch import Tensor

from drnas_lib.methods.gumbel import Tempered


class SNAS(Tempered):
    """theta = softmax((log p + Gumbel noise) / tau); every operation is computed."""

    def sample(self, generator) -> Tensor:
        return self.softened(generator)
