"""The loop over the snapshots of a finished search: hessian.py takes the eigenvalue of each, which is kept beside the run."""

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from drnas_lib.collection.studies import hessian
from drnas_lib.collection.studies.config import HessianPart
from drnas_lib.runs import integrity, snapshots
from drnas_lib.runs.device import choose, describe, reproducible
from drnas_lib.runs.records import PROJECT, RecordError, environment, read_json
from drnas_lib.search.restore import TrainedRun

MEASURES: dict[str, dict[str, Any]] = {
    # As earlier code bases take it: one batch, its own statistics, float32, the weight decay of eta on the diagonal.
    "literature": {"images": 64, "normalisation": "batch", "precision": "float32", "ridge": True},
    # The loss that the search minimises, on enough images that another sample changes little, in float64.
    "exact": {"images": 4096, "normalisation": "batch", "precision": "float64", "ridge": False},
}
PAPER = PROJECT / "params" / "paper" / "text.json"
BATCH = 64  # images that share batch norm statistics, as in the published searches
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


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

    def sentence(self) -> str:
        """In words, for a caption."""
        return f"{self.of_loss()}{', λI added' if self.ridge else ''}"

    def of_loss(self) -> str:
        """In words, without the ridge."""
        return f"in {self.variable}, {self.images} validation images, {self.normalisation} statistics, {self.precision}"


def study(path: str, protocol: Protocol, device_name: str = "auto") -> pd.DataFrame:
    """A row for every snapshot of a run, read where it has been measured before.

    Columns: space, method, lam, seed, reduced (why, or empty), epoch, dominant (largest eigenvalue, signed), largest_absolute, least,
    negative (number below -1e-6 of the largest absolute), ridge (what was added), variables, symmetry_defect, loss_nats, images,
    seconds. The spectra are in `<run>/hessian_<protocol>.json`. Raises RecordError, RunLocked, SnapshotError, HessianError,
    DeviceError.
    """
    run = TrainedRun.read(path)
    variable = hessian.find_variable(run.settings["method"], protocol.variable)
    device, file = choose(device_name), run.folder.file(f"{protocol.stem}.json")
    kept: dict[str, Any] = {"run": run.identity, "protocol": asdict(protocol), "device": describe(device), "epochs": []}
    kept |= integrity.read(file) if file.exists() else {}
    if kept["run"] != run.identity:
        raise RecordError(f"{file} is of another run. Delete it, and the eigenvalues are measured again.")
    known = {row["epoch"] for row in kept["epochs"]}
    there = snapshots.found(run.folder.path) if known else run.snapshots()  # a measured run needs its snapshots no more
    missing = [snapshot for snapshot in there if snapshots.epoch(snapshot) not in known]
    batches = run.validation(protocol.images, min(BATCH, protocol.images), PRECISIONS[protocol.precision], device) if missing else []
    with run.folder.lock() if missing else nullcontext(), reproducible(device):
        for snapshot in missing:
            kept["epochs"].append(measure(run, snapshot, variable, protocol, batches, device))
            kept["epochs"].sort(key=lambda row: row["epoch"])
            integrity.write(file, kept | {"environment": environment()})  # after each, so that an interrupted study continues
    about = {name: run.settings[name] for name in ("space", "method", "lam", "seed")} | {"reduced": "; ".join(run.record["reduced"])}
    return pd.DataFrame([about | row for row in kept["epochs"]]).drop(columns="spectrum")


def measure(
    run: TrainedRun, path: Path, variable: hessian.Variable, protocol: Protocol, batches: list[hessian.Batch], device: torch.device
) -> dict[str, Any]:
    """The row of one snapshot, with its whole spectrum."""
    began, dtype = time.perf_counter(), PRECISIONS[protocol.precision]
    snapshot = run.snapshot(path, device)
    net = run.network(snapshot, protocol.normalisation == "batch", dtype, device)
    eta, mask = snapshot.eta.double(), snapshot.mask
    theta = variable.theta(variable.start(eta, mask), mask)
    loss, gradient, in_theta = hessian.in_theta(net, batches, theta.to(dtype), mask)
    in_variable = hessian.pull_back(variable, eta, mask, gradient, in_theta)
    ridge = run.settings["lam"] if protocol.ridge else 0.0
    values = hessian.spectrum(in_variable, ridge).tolist()
    largest = max(map(abs, values))
    return {
        "epoch": snapshot.epoch,
        "dominant": values[-1],
        "largest_absolute": largest,
        "least": values[0],
        "negative": sum(value < -1e-6 * largest for value in values),
        "ridge": ridge,
        "variables": len(values),
        "symmetry_defect": hessian.symmetry_defect(in_theta),
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
    paper = pd.Series(read_json(PAPER)["dominant_eigenvalue_drnas"], name="paper")
    return paper.to_frame().assign(ours=[last.get(name.lower()) for name in paper.index])


def conclusion(table: pd.DataFrame) -> str:
    """The growth of the dominant eigenvalue for each method, beside the paper's."""
    parts = [
        f"{method} on {space} (n = {row.runs:.0f}): from {row['first']:.4g} to {row['last']:.4g}"
        + (f", ×{row.growth:.2f}" if row["first"] > 0 else "")
        for (space, method), row in growth(table).iterrows()
    ]
    paper, reduced = read_json(PAPER)["figure4"], sorted(set(table.reduced) - {""})
    return (
        f"**Dominant eigenvalue, first to last snapshot: {'; '.join(parts)}. Largest symmetry defect {table.symmetry_defect.max():.1e}.** "
        f"The paper: about ×{paper['eigenvalue_growth_of_darts']} for DARTS in {paper['epochs']} epochs on CIFAR-10 "
        f"(mean of {paper['runs']} runs), while DrNAS stays low."
        + (f" These were reduced runs ({' | '.join(reduced)}), not the paper's." if reduced else "")
    )
