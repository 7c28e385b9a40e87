"""The dominant eigenvalue of the Hessian of the validation loss in the architecture variables, at the snapshots of a finished search.

The loss depends on the architecture through theta alone. So its Hessian in theta, (E O, E O), is built from Hessian-vector products of
the network, one for each entry, and that in every other variable follows by the exact chain rule.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from drnas_lib.architecture import dirichlet
from drnas_lib.collection.studies.config import HessianPart
from drnas_lib.collection.views.comparison_plots import short
from drnas_lib.collection.views.published import paper_text
from drnas_lib.config.method_presets import METHODS
from drnas_lib.errors import UserError
from drnas_lib.runs import integrity, snapshots
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.files import RecordError, environment
from drnas_lib.search.finished_search import FinishedSearch

Batch = tuple[Tensor, Tensor]
MEASURES: dict[str, dict[str, Any]] = {
    # As earlier code bases take it: one batch, its own statistics, float32, the weight decay of eta on the diagonal.
    "literature": {"images": 64, "normalisation": "batch", "precision": "float32", "ridge": True},
    # The loss that the search minimises, on enough images that another sample changes little, in float64.
    "exact": {"images": 4096, "normalisation": "batch", "precision": "float64", "ridge": False},
}
BATCH = 64  # images that share batch norm statistics, as in the published searches
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Softmax (G, E, O) over the kept operations of every edge."""
    return logits.masked_fill(~mask, -torch.inf).softmax(-1)


class Variable(NamedTuple):
    """A variable v (G, E, O) of a method: `start(eta, mask)` gives its value, `theta(v, mask)` the mixing weights at that value."""

    start: Callable[[Tensor, Tensor], Tensor]
    theta: Callable[[Tensor, Tensor], Tensor]


def _laplace_mean(eta: Tensor, mask: Tensor) -> Tensor:
    logs = dirichlet.concentration(eta).log() * mask
    return (logs - logs.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)) * mask


OF_DIRICHLET = {  # all at theta = E[theta], the point of the distribution at which the loss is differentiable twice
    "eta": Variable(lambda eta, mask: eta, lambda v, mask: dirichlet.mean(dirichlet.concentration(v), mask)),
    "beta": Variable(lambda eta, mask: dirichlet.concentration(eta), dirichlet.mean),
    "mean": Variable(lambda eta, mask: dirichlet.mean(dirichlet.concentration(eta), mask), lambda v, mask: v),
    "mu": Variable(_laplace_mean, softmax),  # of the Laplace approximation, eq. 10; its softmax is the Dirichlet mean
}
OF_SOFTMAX = {
    "eta": Variable(lambda eta, mask: eta, softmax),
    "mean": Variable(softmax, lambda v, mask: v),
    "mu": Variable(lambda eta, mask: eta, softmax),
}
VARIABLES: dict[str, dict[str, Variable]] = {"drnas": OF_DIRICHLET, "darts": OF_SOFTMAX, "darts_2nd": OF_SOFTMAX}


class HessianError(UserError, ValueError):
    """The method has no such Hessian; the message names those that exist."""


def find_variable(method: str, name: str) -> Variable:
    """The variable `name` of a method. Raises HessianError for a method without a twice differentiable point, or without that variable."""
    if method not in VARIABLES:
        raise HessianError(f"method={method!r} of this run: theta has no twice differentiable point. Allowed are {', '.join(VARIABLES)}.")
    if name not in VARIABLES[method]:
        raise HessianError(f"variable={name!r}: {method} has no such variable. Allowed are {', '.join(VARIABLES[method])}.")
    return VARIABLES[method][name]


def in_theta(net: torch.nn.Module, batches: list[Batch], theta: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean cross-entropy over `batches` in nats, its gradient (n,) and dense Hessian (n, n) in the n kept entries of theta.

    One Hessian-vector product for each entry, batch by batch, summed in float64; the Hessian is not symmetrised.
    """
    count = int(mask.sum())
    basis = torch.eye(count, dtype=theta.dtype, device=theta.device)
    loss = torch.zeros((), dtype=torch.float64, device=theta.device)
    gradient, hessian = loss.new_zeros(count), loss.new_zeros(count, count)
    images = sum(len(y) for _, y in batches)
    for x, y in batches:
        entries = theta[mask].clone().requires_grad_()  # n
        of_batch = F.cross_entropy(net(x, torch.zeros_like(theta).masked_scatter(mask, entries)), y)
        (first,) = torch.autograd.grad(of_batch, entries, create_graph=True)
        rows = [torch.autograd.grad(first, entries, vector, retain_graph=True)[0] for vector in basis]
        share = len(y) / images
        loss += share * of_batch.detach()
        gradient += share * first.detach()
        hessian += share * torch.stack(rows)
    return loss, gradient, hessian


def pull_back(variable: Variable, eta: Tensor, mask: Tensor, gradient: Tensor, hessian: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient (n,) and Hessian (n, n) in the kept entries of a variable, from those in theta, all float64.

    They are those of the model g d + d H d / 2, d = theta(v) - theta(v0), which equals the loss up to second order.
    """
    whole = variable.start(eta.to(gradient), mask)
    origin = variable.theta(whole, mask)[mask]

    def model(entries: Tensor) -> Tensor:
        step = variable.theta(whole.masked_scatter(mask, entries), mask).masked_select(mask) - origin
        return gradient @ step + step @ hessian @ step / 2

    return torch.autograd.functional.jacobian(model, whole[mask]), torch.autograd.functional.hessian(model, whole[mask])


def symmetry_defect(hessian: Tensor) -> float:
    """max |H - H^T| / max |H|, which is 0 in exact arithmetic."""
    return float((hessian - hessian.T).abs().max() / hessian.abs().max().clamp_min(1e-300))


def spectrum(hessian: Tensor, shift: float = 0.0) -> Tensor:
    """Eigenvalues (n,) of the symmetric part plus `shift` times I, ascending."""
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2) + shift


@dataclass(frozen=True)
class Protocol:
    """How the Hessian is computed. `ridge`: lambda times I is added, the derivative of Adam's weight decay of eta."""

    variable: str
    measure: str
    images: int
    normalisation: str
    precision: str
    ridge: bool

    @classmethod
    def of(cls, config: HessianPart) -> "Protocol":
        """The measure's values, unless the configuration has its own."""
        own = config.model_dump(include={"images", "normalisation", "precision"}, exclude_none=True)
        return cls(config.variable, config.measure, **MEASURES[config.measure] | own)

    @property
    def stem(self) -> str:
        """The name of its file in the folder of a run."""
        return f"hessian_{self.variable}_{self.measure}_{self.images}_{self.normalisation}_{self.precision}"

    def of_loss(self) -> str:
        """In words, without the ridge."""
        return f"in {self.variable}, {self.images} validation images, {self.normalisation} statistics, {self.precision}"

    def sentence(self) -> str:
        """In words, for a caption."""
        return self.of_loss() + (", λI added" if self.ridge else "")


def study(path: str, protocol: Protocol, device_name: str = "auto") -> pd.DataFrame:
    """A row for every snapshot of a run, read where it has been measured before.

    Columns: space, method, lam, seed, reduced (why, or empty), epoch, dominant (largest eigenvalue, signed), largest_absolute, least,
    negative (number below -1e-6 of the largest absolute), ridge (what was added), variables, symmetry_defect, loss_nats, images,
    seconds. The spectra are in `<run>/hessian_<protocol>.json`. Two studies of one run wait for each other. Raises RecordError,
    SnapshotError, HessianError, DeviceError.
    """
    run = FinishedSearch.read(path)
    find_variable(run.settings["method"], protocol.variable)  # refused before anything is read
    device, file = choose(device_name), run.folder.file(f"{protocol.stem}.json")
    kept: dict[str, Any] = {"run": run.identity, "protocol": asdict(protocol), "device": describe(device), "epochs": []}
    kept |= _measured(run, file)
    if _missing(run, kept["epochs"]):
        batches = run.validation(protocol.images, min(BATCH, protocol.images), PRECISIONS[protocol.precision], device)
        with run.folder.lock(wait=True), reproducible(device):
            kept |= _measured(run, file)  # another study may have measured it meanwhile
            for snapshot in _missing(run, kept["epochs"]):
                kept["epochs"].append(measure(run, snapshot, protocol, batches, device))
                kept["epochs"].sort(key=lambda row: row["epoch"])
                integrity.write(file, kept | {"environment": environment()})  # after each, so that an interrupted study continues
    about = {name: run.settings[name] for name in ("space", "method", "lam", "seed")} | {"reduced": "; ".join(run.record["reduced"])}
    return pd.DataFrame([about | row for row in kept["epochs"]]).drop(columns="spectrum")


def _measured(run: FinishedSearch, file: Path) -> dict[str, Any]:
    """What the file holds, nothing where there is none yet. Raises RecordError where it is of another run."""
    kept = integrity.read(file) if file.exists() else {"run": run.identity}
    if kept["run"] != run.identity:
        raise RecordError(f"{file} is of another run. Delete it, and the eigenvalues are measured again.")
    return kept


def _missing(run: FinishedSearch, rows: list[dict[str, Any]]) -> list[Path]:
    """The snapshots that are not among the measured `rows`."""
    known = {row["epoch"] for row in rows}
    # A run that was measured to its last epoch needs its snapshots no more.
    there = snapshots.list_snapshots(run.folder.path) if run.epochs in known else run.snapshots()
    return [snapshot for snapshot in there if snapshots.epoch(snapshot) not in known]


def measure(run: FinishedSearch, path: Path, protocol: Protocol, batches: list[Batch], device: torch.device) -> dict[str, Any]:
    """The row of one snapshot, with its whole spectrum."""
    began, dtype = time.perf_counter(), PRECISIONS[protocol.precision]
    snapshot, variable = run.snapshot(path, device), find_variable(run.settings["method"], protocol.variable)
    net = run.network(snapshot, protocol.normalisation == "batch", dtype, device)
    eta, mask = snapshot.eta.double(), snapshot.mask
    theta = variable.theta(variable.start(eta, mask), mask)
    loss, gradient, hessian = in_theta(net, batches, theta.to(dtype), mask)
    ridge = run.settings["lam"] if protocol.ridge else 0.0
    values = spectrum(pull_back(variable, eta, mask, gradient, hessian)[1], ridge).tolist()
    largest = max(map(abs, values))
    return {
        "epoch": snapshot.epoch,
        "dominant": values[-1],
        "largest_absolute": largest,
        "least": values[0],
        "negative": sum(value < -1e-6 * largest for value in values),
        "ridge": ridge,
        "variables": len(values),
        "symmetry_defect": symmetry_defect(hessian),
        "loss_nats": float(loss),
        "images": sum(len(y) for _, y in batches),
        "seconds": time.perf_counter() - began,
        "spectrum": values,
    }


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """For each space and method the means `first` and `last` of the runs' first and last dominant eigenvalues, and the number `runs`.

    `growth` is the ratio of the means, NaN where the first is not above 0.
    """
    ends = table.sort_values("epoch").groupby(["space", "method", "run"]).dominant.agg(["first", "last"]).groupby(["space", "method"])
    found = ends.mean()
    return found.assign(growth=found["last"] / found["first"].where(found["first"] > 0), runs=ends.size())


def study_all(paths: list[str], protocol: Protocol, device_name: str = "auto") -> pd.DataFrame:
    """`study` of several runs in one table, with the column `run`."""
    return pd.concat([study(path, protocol, device_name).assign(run=str(path)) for path in paths], ignore_index=True)


def endpoints(table: pd.DataFrame) -> pd.DataFrame:
    """Dominant eigenvalue at the end of a DrNAS search in S1 to S4: the paper's (A.4), and ours as the mean over runs, None if none."""
    last = table[table.method == "drnas"].sort_values("epoch").groupby(["space", "run"]).dominant.last().groupby("space").mean()
    paper = pd.Series(paper_text()["dominant_eigenvalue_drnas"], name="paper")
    return paper.to_frame().assign(ours=[last.get(name.lower()) for name in paper.index])


def conclusion(table: pd.DataFrame) -> str:
    """The growth of the dominant eigenvalue for each method, beside the paper's."""
    parts = [
        f"{short(METHODS[method].label)} on {space} (n = {row.runs:.0f}) {row['first']:.4g} and {row['last']:.4g}"
        + (f", ratio of the means {row.growth:.2f}" if row["first"] > 0 else "")
        for (space, method), row in growth(table).iterrows()
    ]
    paper, reduced = paper_text()["figure4"], sorted(set(table.reduced) - {""})
    return (
        f"**Dominant eigenvalue, mean over the runs, after the first and the last snapshot (epochs {table.epoch.min()} and "
        f"{table.epoch.max()}): {'; '.join(parts)}.** The Hessians are symmetric up to {table.symmetry_defect.max():.1e} "
        "of their largest entry. "
        f"The paper: about ×{paper['eigenvalue_growth_of_darts']} for DARTS in {paper['epochs']} epochs on CIFAR-10 "
        f"(mean of {paper['runs']} runs), while DrNAS stays low."
        + (f" These were reduced runs ({' | '.join(reduced)}), not the paper's." if reduced else "")
    )


def least_sentence(table: pd.DataFrame) -> str:
    """In how many snapshots the loss is not convex in the variable, and how far at most."""
    negative, lowest = (table.least < 0).sum(), table.least.min()
    return f"**The least eigenvalue is negative in {negative} of {len(table)} snapshots; the lowest is {lowest:.3g}.**"
