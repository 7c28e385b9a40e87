"""What a cell is derived from: scores (G, E, O), of which the space takes the best. Dropped operations score zero."""

import torch
from torch import Tensor


def softmax_scores(eta: Tensor, mask: Tensor) -> Tensor:
    """softmax(eta) over the kept operations of each edge, as the released code derives."""
    return eta.masked_fill(~mask, -torch.inf).softmax(-1)


DERIVATIONS = {  # of (method, eta, mask)
    "mean": lambda method, eta, mask: method.scores(),  # of DrNAS the Dirichlet mean (eq. 4)
    "softmax": lambda method, eta, mask: softmax_scores(eta, mask),
}
