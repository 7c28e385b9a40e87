"""The scores that a cell is derived from: same operations, not always the same edges."""

import torch

from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.methods import method_class
from drnas_lib.methods.method import DERIVATIONS
from drnas_lib.spaces import SPACES

SPACE = SPACES["darts"]


def test_softmax_and_mean_agree_on_operations_but_not_on_edges():
    variables = ArchVariables(SPACE.shape, torch.Generator().manual_seed(0), available=torch.tensor(SPACE.initial_mask(7)))
    method = method_class("drnas")(variables)
    found = []
    for seed in range(20):
        with torch.no_grad():
            variables.eta.copy_(2 * torch.randn(SPACE.shape, generator=torch.Generator().manual_seed(seed)) * variables.mask)
        softmax, mean = (DERIVATIONS[name](method).detach() for name in ("softmax", "mean"))
        assert torch.equal(softmax.argmax(-1), mean.argmax(-1))
        torch.testing.assert_close(softmax.sum(-1), torch.ones(SPACE.shape[:2]))
        assert not softmax[..., 0].any(), "what was never there scores nothing"
        found.append(SPACE.genotype(softmax) == SPACE.genotype(mean))
    assert not all(found)
