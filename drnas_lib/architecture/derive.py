"""The scores (G, E, O) that a cell is derived from: the space takes the best. Dropped operations score zero."""

import torch

DERIVATIONS = {  # from (method, eta, mask)
    "mean": lambda method, eta, mask: method.scores(),  # of DrNAS the Dirichlet mean (eq. 4)
    "softmax": lambda method, eta, mask: eta.masked_fill(~mask, -torch.inf).softmax(-1),  # as the released code derives
}
