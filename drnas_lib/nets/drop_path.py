"""Drop path (Larsson et al., *FractalNet*, ICLR 2017): a branch is left out for single images, the rest scaled so that the mean stays."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeroes each image of a batch with a probability, and divides the rest by that of being kept. Nothing in evaluation.

    The probability is a number on the device, so that a schedule changes it without recording or compiling anything again.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("keep", torch.ones(()), persistent=False)  # a schedule sets it anew in every epoch

    def set_probability(self, probability: float) -> None:
        """Raises ValueError outside 0 <= probability < 1."""
        if not 0 <= probability < 1:
            raise ValueError(f"drop path probability {probability}: allowed is 0 to below 1")
        self.keep.fill_(1 - probability)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        draws = torch.rand(len(x), 1, 1, 1, device=x.device)  # B 1 1 1, in [0, 1): all below a keep of 1
        return x * ((draws < self.keep) / self.keep).to(x.dtype)
