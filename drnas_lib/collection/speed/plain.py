"""The search as one would write it first, to time ours against: the tests' oracle supernet, PyTorch's optimisers, images one by one."""

import runpy
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.config.search import SearchSettings
from drnas_lib.data.image_set import ImageSet, halves
from drnas_lib.data.sources import Dataset
from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.runs.files import PROJECT
from drnas_lib.spaces import SPACES

# For each space: file and class of the oracle that the tests compare with, the library's supernet, their parameter for the cells.
PAIRS: dict[str, tuple[str, str, type[nn.Module], str]] = {
    "nb201": ("plain.py", "PlainSuperNet", Nb201SuperNet, "cells_per_stage"),
    "darts": ("plain_darts.py", "PlainDartsSuperNet", DartsSuperNet, "cells"),
}


def implementations(space: str) -> dict[str, Callable[..., nn.Module]]:
    """`plain` and `ours`: functions `make(k, channels, cells, classes=10, in_channels=3)` that build a supernet with all operations."""
    file, oracle, ours, cells_name = PAIRS[space]
    plain = runpy.run_path(str(PROJECT / "tests" / "nets" / file))[oracle]

    def make(net: type[nn.Module], k: int, channels: int, cells: int, classes: int = 10, in_channels: int = 3) -> nn.Module:
        return net(SPACES[space], k=k, channels=channels, **{cells_name: cells}, classes=classes, in_channels=in_channels)

    return {"plain": partial(make, plain), "ours": partial(make, ours)}


class PlainSearch:
    """One stage of a DrNAS search without a schedule."""

    def __init__(self, settings: SearchSettings, dataset: Dataset, device: torch.device):
        s, (channels, *_) = settings, dataset.train.images.shape[1:]
        torch.manual_seed(s.seed)
        self.device, self.batch_size, self.clip, self.dataset = device, s.batch_size, s.grad_clip, dataset
        self.net = implementations(s.space)["plain"](s.stages[0].k, s.channels, s.cells, dataset.classes, channels).to(device)
        self.eta = (1e-3 * torch.randn(SPACES[s.space].shape)).to(device).requires_grad_()
        self.weight_optimiser = torch.optim.SGD(self.net.parameters(), s.weight_lr, s.momentum, weight_decay=s.weight_decay)
        self.eta_optimiser = torch.optim.Adam([self.eta], s.arch_lr, s.arch_betas, weight_decay=s.lam)
        self.train, self.valid = halves(dataset.train, dataset.shuffled)

    def steps(self, count: int) -> Iterator[tuple[float, float]]:
        """Take `count` steps, and yield the training loss (nats) and accuracy (%) of each."""
        order = torch.randperm(len(self.train.labels))
        for i in range(count):
            start = i * self.batch_size % (len(order) - self.batch_size + 1)
            yield self._step(order[start : start + self.batch_size])

    def _step(self, index: Tensor) -> tuple[float, float]:
        x, y = self._batch(self.valid, torch.randperm(len(self.valid.labels))[: self.batch_size])
        self.eta_optimiser.zero_grad()
        F.cross_entropy(self.net(x, self._theta()), y).backward()
        self.eta_optimiser.step()
        x, y = self._batch(self.train, index)
        self.weight_optimiser.zero_grad()
        logits = self.net(x, self._theta())
        loss = F.cross_entropy(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.weight_optimiser.step()
        return loss.item(), 100 * (logits.argmax(1) == y).float().mean().item()

    def _theta(self) -> Tensor:
        return torch.distributions.Dirichlet(F.elu(self.eta) + 1).rsample()

    def _batch(self, images: ImageSet, index: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.stack([self._prepared(images.images[i]) for i in index])
        return x.to(self.device), images.labels[index].to(self.device)

    def _prepared(self, image: Tensor) -> Tensor:
        pad, size = self.dataset.pad, image.shape[-1]
        top, left = torch.randint(2 * pad + 1, (2,)).tolist()
        image = F.pad(image, (pad,) * 4)[:, top : top + size, left : left + size]
        if self.dataset.flip and torch.rand(()) < 0.5:
            image = image.flip(-1)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.dataset.mean, self.dataset.std))
        return (image / 255 - mean) / std
