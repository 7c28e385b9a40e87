"""The search loop of all methods and spaces: a row and a checkpoint per epoch; `restore` resumes an interrupted one exactly."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch

from drnas_lib.architecture.dirichlet import concentration
from drnas_lib.architecture.regulariser import REGULARISERS
from drnas_lib.architecture.variables import ArchVariables
from drnas_lib.config.search_settings import SearchSettings
from drnas_lib.data.batches import DeviceImages
from drnas_lib.data.search_images import AnyDataset, StreamedDataset, described, weight_and_eta_images
from drnas_lib.errors import UserError
from drnas_lib.genotype import Genotype
from drnas_lib.methods import method_class
from drnas_lib.methods.method import DERIVATIONS, MethodContext
from drnas_lib.nets.darts import DartsSuperNet
from drnas_lib.nets.nb201 import Nb201SuperNet
from drnas_lib.nets.networks import supernet
from drnas_lib.nets.widen import carry, channel_maps
from drnas_lib.parallel.process_group import SINGLE_PROCESS, ProcessGroup
from drnas_lib.runs import checkpoint, snapshots
from drnas_lib.runs.files import RunFolder
from drnas_lib.runs.identity import Identity
from drnas_lib.runs.memory import activation_bytes, advice_where_memory_runs_out
from drnas_lib.runs.precision import PRECISIONS
from drnas_lib.runs.seeds import build_seeded, derive_seed
from drnas_lib.search.bilevel import STEPS
from drnas_lib.search.cuda_graph import GraphedSteps, restoring
from drnas_lib.search.optimisers import Adam, Sgd
from drnas_lib.search.schedule import EpochPosition, epoch_positions, learning_rate, linear
from drnas_lib.spaces import SPACES

MORE_MEMORY = "Raise k (fewer channels are mixed), lower batch_size, or use the progressive schedule. The last checkpoint is kept."


class SearchError(UserError, RuntimeError):
    """The search cannot go on; the message says what to change, and the last checkpoint is kept."""


@dataclass(frozen=True)
class Epoch:
    """A finished epoch: its row of history.csv, all rows so far, E[theta] (G, E, O) as nested lists, and the number of all epochs."""

    row: dict
    history: list[dict]
    mean: list
    epochs: int


@dataclass(frozen=True)
class Launched:
    """`done` of the `of` steps of an epoch have been launched on the device."""

    done: int
    of: int


@dataclass
class SharedDevice:
    """Shared by the runs on one device: the number of `searches` in progress, for the history, and the loaded `datasets`."""

    searches: int = 1
    datasets: dict[tuple, AnyDataset] = field(default_factory=dict)


class Search:
    """The state of a search: data, supernet, eta, optimisers, random streams. `run` continues from the checkpoint in `folder`.

    Each process of `process_group` holds the whole state and sees its share of every batch. Raises ValueError for too few images.
    """

    def __init__(
        self,
        settings: SearchSettings,
        dataset: AnyDataset,
        device: torch.device,
        capture: bool = True,
        process_group: ProcessGroup = SINGLE_PROCESS,
    ):
        self.settings, self.dataset, self.device, self.process_group = settings, dataset, device, process_group
        self.capture = capture and not process_group.is_distributed  # a graph cannot hold exchanges between processes
        self.space = SPACES[settings.space]
        self.positions = epoch_positions(settings.stages)
        available = torch.tensor(self.space.initial_mask(settings.stages[0].keep))
        self.train, self.valid = weight_and_eta_images(dataset, settings, device)  # the images for the weights, and for eta
        self.identity = Identity.of(settings, described(dataset))
        self.image_generator = torch.Generator().manual_seed(settings.seed)  # batches and augmentation, the same on every device
        self.theta_generator = torch.Generator(device).manual_seed(settings.seed)  # theta, the same in every process
        self.noise = torch.Generator(device) if process_group.is_distributed else self.theta_generator  # noise operations and drop path
        start = torch.Generator().manual_seed(settings.seed)
        mean, std = settings.eta_mean, settings.eta_std
        self.variables = ArchVariables(self.space.shape, start, available=available, mean=mean, std=std).to(device)
        self.method = build_seeded(settings.seed, lambda: method_class(settings.method)(self.variables, **settings.options))
        self.regulariser = REGULARISERS[settings.regulariser](settings.lam)
        adam = settings.arch_lr, settings.arch_betas, self.regulariser.decay, settings.arch_grad_clip
        self.arch_optimiser = Adam(self.method.arch_parameters(), *adam)
        self.history: list[dict] = []
        self.trace: list[list] = []  # eta after every epoch, nested lists (G, E, O)
        self.unreadable: list[str] = []  # files that could not be read
        self.start_stage(self._net(0), 0)

    def _net(self, stage: int) -> torch.nn.Module:
        """A new supernet for a stage; the seed alone decides its weights, whatever the device."""
        s, images = self.settings, (self.dataset.classes, self.dataset.channels)
        parts = self.method.network, s.stages[stage].k, self.variables.mask, images, self.noise
        net = build_seeded(s.seed + stage, lambda: supernet(s, *parts))
        return self.process_group.synchronise_batch_norm(net.to(self.device)).train()

    def start_stage(self, net: torch.nn.Module, stage: int) -> None:
        """Start a stage with the network `net` and a new optimiser of its weights."""
        s = self.settings
        sgd = Sgd(net.parameters(), s.momentum, s.weight_decay, s.grad_clip, s.nesterov)
        parts = self.method, self.variables, self.regulariser, self.arch_optimiser, sgd, self.theta_generator
        how = s.bilevel == "second", PRECISIONS[s.precision], self.process_group, s.label_smoothing
        self.step, self.stage = STEPS[s.step](net, *parts, *how), stage
        self.launcher = GraphedSteps(
            self.step, self.train, self.valid, self.theta_generator, self.capture and self.method.network.capturable
        )
        self.activation = self.activation_mb()
        self.most_at_once = 1  # searches that shared the device in this stage
        if self.device.type == "cuda":  # replays allocate nothing, so the peak of a stage is that of its capture
            torch.cuda.reset_peak_memory_stats(self.device)

    def prune_and_widen(self, stage: int) -> None:
        """Start a later stage: prune by beta, widen, and carry weights, running statistics and momentum over (section 2.4)."""
        old, velocity = self.step.net, self.step.momentum()
        self.capture = self.launcher.captures  # no new attempt after a failed capture
        self.variables.prune_(self.settings.stages[stage].keep)
        for moment in self.arch_optimiser.state[self.variables.eta].values():
            if moment.shape == self.variables.eta.shape:
                moment.mul_(self.variables.mask)  # a dropped operation has no momentum left
        new = self._net(stage)
        maps = channel_maps(old, new, torch.Generator().manual_seed(self.settings.seed + stage))
        new.load_state_dict(carry(old.state_dict(), maps, list(new.state_dict())))
        self.start_stage(new, stage)
        self.step.set_momentum(carry(velocity, maps, [name for name, _ in new.named_parameters()]))

    def where(self) -> dict[str, Any]:
        """What a continued run must share with the run that began."""
        return checkpoint.place(self.device, self.process_group.share.world_size)

    def state(self) -> dict[str, Any]:
        """The content of a checkpoint."""
        return {
            **self.where(),
            "stage": self.stage,
            "method": self.method.state_dict(),  # with eta and its mask
            "arch_optimiser": self.arch_optimiser.state_dict(),
            "net": self.step.net.state_dict(),
            "momentum": self.step.momentum(),
            "activation": self.activation,  # measured at the start of the stage, with draws that depend on eta
            "order": self.image_generator.get_state(),
            "chance": self.theta_generator.get_state(),
            "history": self.history,
            "trace": self.trace,
            "unreadable": self.unreadable,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()` of another object. Raises CheckpointError if that had another device or number of processes."""
        checkpoint.check_place(state, self.where())
        self.method.load_state_dict(state["method"])
        self.arch_optimiser.load_state_dict(state["arch_optimiser"])
        self.start_stage(self._net(state["stage"]), state["stage"])
        self.step.net.load_state_dict(state["net"])
        self.step.set_momentum(state["momentum"])
        self.activation = state["activation"]
        self.image_generator.set_state(state["order"].cpu())
        self.theta_generator.set_state(state["chance"].cpu())
        self.history, self.trace, self.unreadable = state["history"], state["trace"], state["unreadable"]

    def run(self, folder: RunFolder, shared: SharedDevice) -> Iterator[Launched | Epoch]:
        """Yield each step as it is launched and each epoch as it ends; the last epoch of a checkpoint comes first."""
        saved = checkpoint.load(folder.path, self.identity, self.device)
        if saved is not None:
            with checkpoint.fitting(folder.path), advice_where_memory_runs_out(SearchError, "at the last checkpoint", MORE_MEMORY):
                self.restore(saved)
            del saved  # or its tensors would stay on the device for the rest of the run
            if self.history:
                yield self._report()
        for position in self.positions[len(self.history) :]:
            with advice_where_memory_runs_out(SearchError, f"in epoch {position.epoch + 1}", MORE_MEMORY):
                if position.stage != self.stage:
                    self.prune_and_widen(position.stage)
                row = yield from self._epoch(position, shared)
            self.history.append(row)
            self.trace.append(self.variables.eta.tolist())
            if self.process_group.is_rank_zero:
                self._save_snapshot(folder)  # before the checkpoint: a run killed between them repeats the epoch
                checkpoint.save(folder.path, len(self.history), self.identity, self.state())
            self.process_group.barrier()
            yield self._report()

    def _save_snapshot(self, folder: RunFolder) -> None:
        every, epoch = self.settings.snapshots, len(self.history)
        if every and (epoch % every == 0 or epoch == len(self.positions)):
            k, eta, mask = self.settings.stages[self.stage].k, self.variables.eta.detach(), self.variables.mask
            snapshot = snapshots.Snapshot(epoch, self.stage, k, eta, mask, self.step.net.state_dict())
            snapshots.save(folder.path, self.identity, snapshot)

    def _epoch(self, position: EpochPosition, shared: SharedDevice) -> Generator[Launched, None, dict]:
        """Train one epoch; gives its row of the history."""
        s, stage, share = self.settings, self.settings.stages[position.stage], self.process_group.share
        epoch, epochs, began = position.epoch, len(self.positions), time.perf_counter()
        falls = s.lr_half_period or epochs
        lr = learning_rate(s.lr_after_widening, position, falls, s.weight_lr, s.weight_lr_min, s.lr_warmup)
        self.step.weight_optimiser.set_lr(lr)
        self.method.begin_epoch(epoch, epochs)
        holes = linear(epoch, epochs, 1.0)
        train = self.train.plan(s.batch_size, self.image_generator, holes=holes)
        steps = len(train.index)
        valid = self.valid.plan(s.batch_size, self.image_generator, steps=steps, holes=holes)
        if self.noise is not self.theta_generator:  # seeded anew in every epoch, so no checkpoint has to keep its state
            self.noise.manual_seed(derive_seed(s.seed, epoch, share.rank))
        if s.drop_path:
            cast(DartsSuperNet, self.step.net).set_drop_path(linear(epoch, epochs, s.drop_path))
        moves_eta = position.epoch_in_stage >= stage.arch_warmup
        for launched in self.launcher.epoch(train.part(share), valid.part(share), moves_eta):
            self.most_at_once = max(self.most_at_once, shared.searches)
            yield Launched(launched, steps)
        self.unreadable = self.process_group.union([*self.unreadable, *self.train.unreadable, *self.valid.unreadable])
        if self.unreadable and isinstance(self.dataset, StreamedDataset):
            self.dataset.refuse_many(self.unreadable)
        self.process_group.all_reduce_sum(self.step.meter.sums)
        loss, accuracy, arch_loss, arch_accuracy = self.step.meter.read()
        eta, broken = self.variables.eta.detach(), self.step.meter.first_not_finite(share.world_size)
        if broken is not None or not bool(eta.isfinite().all()):
            raise SearchError(
                f"epoch {epoch + 1}, step {broken or steps} of {steps}: {'the loss' if broken else 'eta'} is not finite. Lower weight_lr "
                f"(now {s.weight_lr}) or arch_lr (now {s.arch_lr}), and check the images. The checkpoint before this epoch is kept."
            )
        self.step.meter.sums.zero_()
        self.method.after_epoch(self.method_context(), last=epoch + 1 == epochs)
        mean = self.method.mean().detach()
        beta = concentration(eta[self.variables.mask])
        return {
            "epoch": epoch + 1,
            "stage": position.stage + 1,
            "k": stage.k,
            "operations_kept": stage.keep,
            "lr": lr,
            "train_loss_nats": loss,
            "train_acc_pct": accuracy,
            "valid_loss_nats": arch_loss,
            "valid_acc_pct": arch_accuracy,
            "beta_min": float(beta.min()),
            "beta_max": float(beta.max()),
            "mean_entropy_nats": float(-(mean * mean.clamp_min(1e-30).log()).sum(-1).mean()),
            "genotype": str(self.genotype()),
            "images_per_s": steps * s.batch_size / (time.perf_counter() - began),
            "activation_mb": self.activation,
            "peak_memory_mb": torch.cuda.max_memory_allocated(self.device) / 1e6 if self.device.type == "cuda" else None,
            "searches_at_once": self.most_at_once,
            "seconds": time.perf_counter() - began,
        }

    def _report(self) -> Epoch:
        return Epoch(self.history[-1], self.history, self.method.mean().tolist(), len(self.positions))

    def genotype(self) -> Genotype:
        """The cell that the search would derive now."""
        return self.space.genotype(DERIVATIONS[self.settings.derive](self.method).detach())

    def method_context(self) -> MethodContext:
        """The input of a method between epochs. Methods that read it search nb201 with images in memory."""
        net, images = cast(Nb201SuperNet, self.step.net), cast(DeviceImages, self.valid)
        return MethodContext(net, images, self.settings.batch_size, self.image_generator, self.theta_generator)

    def activation_mb(self) -> float:
        """Megabytes that a weight step of this stage saves for its backward pass; changes nothing in the search."""
        net, order, chance = self.step.net, torch.Generator().manual_seed(0), torch.Generator(self.device).manual_seed(0)
        draws = self.method.network.memory_draws  # a draw may decide which operations are computed
        x, _ = self.train.batch(self.train.plan(self.settings.batch_size, order).part(self.process_group.share), 0)
        used = 0.0
        with restoring(list(net.buffers()), self.theta_generator):
            for _ in range(draws):
                theta = self.method.sample(chance).detach()
                used += activation_bytes(partial(self.step.forward, x, theta), [x, theta, *self.step.parameters]) / draws
        return used / 1e6
