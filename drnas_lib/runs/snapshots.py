"""The supernet after some epochs of a search, kept beside the run for the studies of its loss.

A search with `snapshots=n` keeps one every n epochs and the last. Unlike checkpoints they stay after the run; their files are checked in
the same way. Git ignores them.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from drnas_lib.errors import UserError
from drnas_lib.runs import checkpoint, integrity
from drnas_lib.runs.files import RunFolder
from drnas_lib.runs.identity import Identity


class SnapshotError(UserError, RuntimeError):
    """A run has no usable snapshots for a study; the message says how to get them."""


@dataclass(frozen=True)
class Snapshot:
    """`eta` and `mask` (G, E, O) after `epoch` epochs, the state dict of the supernet `net`, its stage and K."""

    epoch: int
    stage: int
    k: int
    eta: Tensor
    mask: Tensor
    net: dict[str, Tensor]


def save(folder: Path, identity: Identity, snapshot: Snapshot) -> None:
    """Write the file `snapshot-<epoch>`. Raises RecordError."""
    checkpoint.write(folder / f"snapshot-{snapshot.epoch:05d}", identity.head() | asdict(snapshot))


def list_snapshots(folder: Path) -> list[Path]:
    """The snapshots in a folder, oldest first."""
    return sorted(folder.glob("snapshot-" + "[0-9]" * 5))


def epoch(path: Path) -> int:
    """The number in the name of a snapshot."""
    return int(path.name.removeprefix("snapshot-"))


def require_snapshots(folder: Path) -> list[Path]:
    """The snapshots in a folder, oldest first. Raises SnapshotError if there is none."""
    if not (files := list_snapshots(folder)):
        raise SnapshotError(
            f"{folder} has no snapshots, and this study needs the weights of the supernet. Search again with "
            "`-p snapshots 1 -p rerun True`, or with `-p name ANOTHER` to keep the finished run. Snapshots stay where the search ran."
        )
    return files


def load(path: Path, identity: str, device: torch.device) -> Snapshot:
    """The snapshot in `path`. Raises SnapshotError if it is damaged or belongs to another run, RecordError."""
    try:
        content = checkpoint.read(path, device)
        owner, made_of = content.pop("fingerprint"), content.pop("made_of")
        snapshot = Snapshot(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{path} cannot be read: {error}. Delete it to study the others, or search again with rerun=True.") from error
    if owner != identity:
        record = integrity.record(RunFolder(path.parent))
        differences = Identity(identity, record["parameters"], record["data"]).differs_from(made_of)
        raise SnapshotError(f"{path} is of a run with other settings or data: {differences}. Delete it, or search with rerun=True.")
    if snapshot.epoch != epoch(path):
        raise SnapshotError(f"{path} holds epoch {snapshot.epoch}. Rename it to match, or delete it.")
    return snapshot
