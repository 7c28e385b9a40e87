"""The one training loop: a network on a feed of images by a recipe, a row and a checkpoint per epoch, exact resume."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drnas_lib.config.recipes import Recipe
from drnas_lib.data.stream import UNREADABLE, Feed
from drnas_lib.errors import UserError
from drnas_lib.nets.darts_network import DropPath
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.retrain.schedule import drop_path, learning_rate
from drnas_lib.runs import checkpoint
from drnas_lib.runs.files import RunFolder
from drnas_lib.runs.identity import Identity
from drnas_lib.runs.memory import advice_where_memory_runs_out
from drnas_lib.runs.precision import FLOAT32, Precision
from drnas_lib.runs.seeds import seeded

TOP = 5
MB = 1e6
TESTED = ("test_loss_nats", "test_acc_pct", "test_top5_acc_pct")


class RetrainError(UserError, RuntimeError):
    """Training cannot go on; the message says what to change, and the last checkpoint is kept."""


class Meter:
    """Loss and accuracy, summed on the device and read once an epoch, of weight steps (row 0) and architecture steps (row 1)."""

    def __init__(self, device: torch.device, rows: int = 2):
        self.sums = torch.zeros(rows, 4, dtype=torch.float64, device=device)  # (weights | arch) x (loss, correct, images, finite batches)

    def add(self, row: int, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        count = torch.full_like(loss, len(y))
        self.sums[row, :3] += torch.stack([loss.detach() * len(y), (logits.argmax(1) == y).sum(), count]).double()
        self.sums[row, 3] += self.sums[row, 0].isfinite()  # a sum that is not finite stays so

    def read(self) -> list[float | None]:
        """Loss and accuracy in % of the weight steps, then of the architecture steps; None if there were none."""
        rows = [(loss / n, 100 * correct / n) if n else (None, None) for loss, correct, n, _ in self.sums.tolist()]
        return [value for row in rows for value in row]

    def first_not_finite(self, processes: int = 1) -> int | None:
        """The first step of the epoch, from 1, whose loss was not finite, or None; `sums` must be those of all processes."""
        steps = [int(finite) // processes + 1 for loss, _, _, finite in self.sums.tolist() if not math.isfinite(loss)]
        return min(steps, default=None)


class Trainer:
    """The state of a training: network, optimiser, history. `run` continues from the checkpoint in `folder`.

    `identity` names everything that the result depends on, so that no other run's checkpoint is used.
    """

    def __init__(
        self,
        net: nn.Module,
        feed: Feed,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        identity: Identity,
        process_group: ProcessGroup = SINGLE_PROCESS,
        precision: Precision = FLOAT32,
    ):
        self.net, self.feed, self.recipe, self.seed = net, feed, recipe, seed
        self.device, self.identity, self.process_group = device, identity, process_group
        if device.type == "cpu":  # depthwise convolutions take half the time in channels-last order there
            net = net.to(memory_format=torch.channels_last)
        self.model = process_group.wrap(net.to(device))
        self.train_forward, self.test_forward = precision.forward(self.model), precision.forward(net)  # images -> logits
        self.drop_paths = [module for module in net.modules() if isinstance(module, DropPath)]
        self.parameters = list(net.parameters())
        self.optimiser = torch.optim.SGD(
            self.parameters, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov, foreach=True
        )
        self.history: list[dict] = []
        self.unreadable: list[str] = []

    def run(self, folder: RunFolder, on_step: Callable[[int, int], None] | None = None) -> Iterator[dict]:
        """Yield the row of every epoch that is still to do; of a training that was finished, the last one again."""
        self._restore(folder)
        if len(self.history) == self.recipe.epochs:
            yield self.history[-1]
        for epoch in range(len(self.history), self.recipe.epochs):
            when = f"in epoch {epoch + 1} with batch_size={self.recipe.batch_size}"
            advice = "Lower batch_size, channels or cells; the epochs before are kept."
            with (
                advice_where_memory_runs_out(RetrainError, when, advice),
                seeded(self.device, self.seed, epoch, self.process_group.share.rank),  # drop path and noise
            ):
                row = self._epoch(epoch, on_step)
            self.history.append(row)
            self.unreadable = self.process_group.union([*self.unreadable, *self.feed.unreadable])
            self._save(folder)
            yield row

    def _epoch(self, epoch: int, on_step: Callable[[int, int], None] | None) -> dict:
        began = time.perf_counter()
        lr, drop_probability = learning_rate(self.recipe, epoch), drop_path(self.recipe, epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        for module in self.drop_paths:
            module.set_probability(drop_probability)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self.model.train()
        meter = Meter(self.device, rows=1)
        for step, (x, y) in enumerate(self.feed.epoch(epoch), start=1):
            self._step(x, y, meter)
            if on_step is not None:
                on_step(step, self.feed.steps)
        self.process_group.all_reduce_sum(meter.sums)
        loss, accuracy = meter.read()
        broken = meter.first_not_finite(self.process_group.share.world_size)
        self._check(loss, f"epoch {epoch + 1}, step {broken} of {self.feed.steps}: the training loss")
        seconds = time.perf_counter() - began
        row: dict[str, float | None] = {"epoch": epoch + 1, "lr": lr, "drop_path": drop_probability}
        row |= {"train_loss_nats": loss, "train_acc_pct": accuracy}
        last = epoch + 1 == self.recipe.epochs
        row |= self.test() if self.recipe.test_every_epoch or last else dict.fromkeys(TESTED)
        self._check(row["test_loss_nats"], f"epoch {epoch + 1}: the test loss")
        peak = torch.cuda.max_memory_allocated(self.device) / MB if self.device.type == "cuda" else None
        images = self.feed.steps * self.recipe.batch_size
        return row | {"images_per_s": images / seconds, "peak_memory_mb": peak, "seconds": time.perf_counter() - began}

    def _check(self, loss: float | None, what: str) -> None:
        if loss is not None and not math.isfinite(loss):
            raise RetrainError(
                f"{what} is not finite. Lower the learning rate (lr, now {self.recipe.lr}), and check whether the images are sound. "
                "The epochs before are kept."
            )

    def _step(self, x: Tensor, y: Tensor, meter: Meter) -> None:
        outputs = self.train_forward(x)
        heads = outputs if isinstance(outputs, tuple) else (outputs,)  # the classifier, then the auxiliary head if there is one
        losses = [F.cross_entropy(logits, y, label_smoothing=self.recipe.label_smoothing) for logits in heads]
        loss = losses[0]
        for auxiliary in losses[1:]:
            loss = loss + self.recipe.auxiliary * auxiliary
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.grad_clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.recipe.grad_clip, foreach=True)
        self.optimiser.step()
        meter.add(0, loss, heads[0], y)

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """Loss, top-1 and top-5 accuracy over all test images that can be read, in evaluation mode."""
        self.net.eval()
        sums = torch.zeros(4, dtype=torch.float64, device=self.device)  # loss, correct, among the first five, images
        for x, y in self.feed.test():
            if len(y):
                sums += score(self.test_forward(x), y)
        loss, correct, among, images = self.process_group.all_reduce_sum(sums).tolist()
        return dict(zip(TESTED, (loss / images, 100 * correct / images, 100 * among / images)))

    def where(self) -> dict[str, Any]:
        """What a continued training must share with the one that began."""
        return checkpoint.place(self.device, self.process_group.share.world_size)

    def _restore(self, folder: RunFolder) -> None:
        saved = checkpoint.load(folder.path, self.identity, self.device)
        if saved is not None:
            with checkpoint.fitting(folder.path):
                checkpoint.check_place(saved, self.where())
                self.net.load_state_dict(saved["net"])
                self.optimiser.load_state_dict(saved["optimiser"])
                self.history, self.unreadable = saved["history"], saved["unreadable"]

    def _save(self, folder: RunFolder) -> None:
        if self.process_group.is_rank_zero:
            networks = {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict()}
            state = self.where() | networks | {"history": self.history, "unreadable": self.unreadable}
            checkpoint.save(folder.path, len(self.history), self.identity, state)
        self.process_group.barrier()


def score(logits: Tensor, y: Tensor) -> Tensor:
    """(summed loss, correct, label among the first five, images) of logits (B, classes); images that could not be read do not count."""
    loss = F.cross_entropy(logits, y, ignore_index=UNREADABLE, reduction="sum")
    best = logits.topk(min(TOP, logits.shape[1]), 1).indices == y[:, None]  # B 5, the likeliest class first
    return torch.stack([loss, best[:, 0].sum(), best.sum(), (y != UNREADABLE).sum()]).double()
