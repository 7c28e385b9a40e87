"""GDAS (Dong & Yang, CVPR 2019): one operation of each edge is drawn and computed, with the gradient of the relaxed draw."""

import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.methods.gumbel import GumbelSoftmax
from drnas_lib.nets.single_path import SinglePathNet


class GDAS(GumbelSoftmax):
    """theta is one-hot at the largest entry of the relaxed draw, with the gradient of the relaxed draw (straight-through)."""

    network = SinglePathNet

    def sample(self, generator: torch.Generator) -> Tensor:
        soft = self.relaxed(generator)
        hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
        return hard + (soft - soft.detach())  # soft - soft is exactly zero, so that the value stays one-hot
