"""The one training loop: the network that a genotype stands for, trained on the whole training set and tested."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from drnas_lib import checkpoint
from drnas_lib.data.augment import Augment
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.sources import Dataset
from drnas_lib.genotype import Nb201Genotype
from drnas_lib.nets.discrete import DiscreteNetwork
from drnas_lib.records import RunFolder
from drnas_lib.schedule import cosine


class RetrainError(RuntimeError):
    """Training cannot go on; the message says what to change."""


@dataclass(frozen=True)
class Recipe:
    """NAS-Bench-201's training recipe (its section 2.2) apart from the length: SGD, Nesterov, cosine to zero."""

    epochs: int
    batch_size: int = 256
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4


def network(genotype: Nb201Genotype, dataset: Dataset, channels: int, cells: int, seed: int) -> DiscreteNetwork:
    """The network of a genotype on a data set, its weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DiscreteNetwork(genotype, channels, cells, dataset.classes, dataset.train.images.shape[1])


def train(
    net: nn.Module, dataset: Dataset, recipe: Recipe, seed: int, device: torch.device, folder: RunFolder, identity: str
) -> Iterator[dict]:
    """Yield a row per epoch, continuing from the checkpoint in `folder`; the last row has `test_acc_pct`."""
    if dataset.test is None:
        raise RetrainError(f"{dataset.name} has no test images, so a trained cell cannot be judged. Use evaluate='none'.")
    size = dataset.train.images.shape[-1]
    images = DeviceImages(dataset.train, Augment(size, dataset.pad, dataset.flip, 0, dataset.mean, dataset.std), device)
    test = DeviceImages(dataset.test, Augment(size, 0, False, 0, dataset.mean, dataset.std), device)
    batch_size = min(recipe.batch_size, len(dataset.train.labels) // 4)  # a small data set still gets a few steps an epoch
    net = net.to(device)
    optimiser = torch.optim.SGD(
        net.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True, foreach=True
    )
    order = torch.Generator().manual_seed(seed)
    done, history = 0, []
    saved = checkpoint.load(folder.path, identity, device)
    if saved is not None:
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        order.set_state(saved["order"].cpu())
        history, done = saved["history"], len(saved["history"])
    for epoch in range(done, recipe.epochs):
        began = time.perf_counter()
        optimiser.param_groups[0]["lr"] = lr = cosine(epoch, recipe.epochs, recipe.lr, 0.0)
        net.train()
        plan = images.plan(batch_size, order)
        total = torch.zeros((), device=device)
        for i in range(len(plan.index)):
            x, y = images.batch(plan, i)
            loss = F.cross_entropy(net(x), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach()
        row = {"epoch": epoch + 1, "lr": lr, "train_loss_nats": float(total) / len(plan.index)}
        if not math.isfinite(row["train_loss_nats"]):
            raise RetrainError(f"epoch {epoch + 1}: the training loss is {row['train_loss_nats']}. Lower the learning rate.")
        if epoch + 1 == recipe.epochs:
            row["test_acc_pct"] = accuracy(net, test)
        row["seconds"] = time.perf_counter() - began
        history.append(row)
        state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "order": order.get_state(), "history": history}
        checkpoint.save(folder.path, epoch + 1, identity, state)
        yield row
    if done == recipe.epochs:
        yield history[-1]


@torch.no_grad()
def accuracy(net: nn.Module, images: DeviceImages, batch_size: int = 500) -> float:
    """Per cent of all images classified right, in eval mode, without augmentation."""
    net.eval()
    right = sum((net(x).argmax(1) == y).sum() for x, y in images.evaluation(batch_size))
    return 100 * int(right) / len(images)
