"""The checkpoint file of a run, refused where it or a finished run has other settings. search/ and retrain/loop.py resume from it.

A file is a magic line, the SHA-256 of the rest, and the output of torch.save. The last two files are kept, so a damaged newest one costs
one epoch and not the run. Loading executes no code (`weights_only`).
"""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from drnas_lib.errors import MissingData, UserError
from drnas_lib.runs import integrity
from drnas_lib.runs.files import RecordError, RunFolder, atomic_write, remove
from drnas_lib.runs.identity import WHAT_TO_DO, Identity, image_differences, places_differ, settings_differences

MAGIC = b"drnas checkpoint 1\n"
KEPT = 2


class CheckpointError(UserError, RuntimeError):
    """No checkpoint of a run can be used."""


def save(folder: Path, epoch: int, identity: Identity, state: dict) -> None:
    """Write the state after `epoch` epochs, then remove all but the last two. Raises RecordError and keeps the old ones on a full disk."""
    write(folder / f"checkpoint-{epoch:05d}", {**identity.head(), "epoch": epoch, "state": state})
    for old in list_checkpoints(folder)[KEPT:]:
        remove(old)


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    return sorted(folder.glob("checkpoint-" + "[0-9]" * 5), reverse=True)


def load(folder: Path, identity: Identity, device: torch.device) -> dict | None:
    """The newest undamaged state, or None without any. Raises CheckpointError if all are damaged or of a run with other settings."""
    problems = []
    for path in list_checkpoints(folder):
        try:
            content = read(path, device)
        except (OSError, ValueError) as error:
            problems.append(f"{path.name}: {error}")
            continue
        if content["fingerprint"] != identity.key:
            differences = identity.differs_from(content["made_of"])
            raise CheckpointError(f"{path} belongs to a run with other settings or data: {differences}. {WHAT_TO_DO}.")
        if problems:
            warnings.warn(f"damaged checkpoint skipped, continuing from epoch {content['epoch']}: {'; '.join(problems)}", stacklevel=2)
        return content["state"]
    if problems:
        raise CheckpointError(f"no usable checkpoint in {folder}: {'; '.join(problems)}. Start over with rerun=True.")
    return None


def check_finished(folder: RunFolder, settings: Any, images: Callable[[], dict] | None) -> None:
    """Compare the finished run in `folder` with the requested one. Raises CheckpointError, RecordError, MissingData.

    `images` describes the present images as a record does; None if they cannot have changed. Images that are gone cause a warning.
    """
    record = integrity.record(folder)
    before, now = record["parameters"], settings.as_dict()
    differences = settings_differences(before, now) if before.get("fingerprint") != settings.fingerprint else []
    if images is not None and not differences:
        elsewhere = places_differ(before, now)
        try:
            changed = image_differences(record.get("data", {}), images())
        except MissingData as error:
            if elsewhere:
                raise
            warnings.warn(f"the images of the finished run in {folder.path} were not compared: {error}", stacklevel=2)
            return
        differences = changed and [*elsewhere, *changed]
    if differences:
        raise CheckpointError(f"{folder.path} holds a finished run with other settings or data: {'; '.join(differences)}. {WHAT_TO_DO}.")


def clear(folder: Path) -> None:
    """Remove all checkpoints of a finished run; in a folder that cannot be written they stay."""
    for path in list_checkpoints(folder):
        with suppress(RecordError):
            remove(path)


def write(path: Path, content: dict) -> None:
    """Write tensors and plain values to a checked file. Raises RecordError."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    atomic_write(path, MAGIC + hashlib.sha256(payload).digest() + payload)


def read(path: Path, device: torch.device) -> dict:
    """The content of a file of `write`. Raises ValueError if it is damaged or of another kind, OSError."""
    content = path.read_bytes()
    head = len(MAGIC) + hashlib.sha256().digest_size
    if not content.startswith(MAGIC):
        raise ValueError("not a checkpoint of this project")
    if hashlib.sha256(content[head:]).digest() != content[len(MAGIC) : head]:
        raise ValueError("the content does not match its checksum")
    try:
        loaded = torch.load(io.BytesIO(content[head:]), map_location=device, weights_only=True)
    except Exception as error:  # a crafted file can make the unpickler raise anything
        raise ValueError(f"not written by this project: {_first_line(error)}") from error
    if not isinstance(loaded, dict) or "fingerprint" not in loaded:
        raise ValueError("not written by this project: it has no fingerprint")
    return loaded


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Restore a loaded state within the block. Raises CheckpointError if the state does not fit this version of the project."""
    try:
        yield
    except UserError:
        raise
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint in {folder} was written by another version of this project and does not fit ({_first_line(error)}). Finish "
            "the run with that version, give this one another name with the parameter `name`, or start over with rerun=True."
        ) from error


def place(device: torch.device, processes: int) -> dict[str, Any]:
    """Where a run computes, a part of the state in its checkpoints."""
    return {"device": device.type, "processes": processes}


def check_place(was: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises CheckpointError if a run was begun on another kind of device or number of processes: it could not continue exactly."""
    otherwise = "give this run another name with `name`, or start over with rerun=True"
    for name, unit, why in (("device", "", "draws other numbers"), ("processes", " processes", "rounds sums differently")):
        if was[name] != now[name]:
            raise CheckpointError(
                f"the run was begun on {was[name]}{unit} and cannot continue exactly on {now[name]}{unit}, which {why}. Continue with "
                f"{name}={was[name]!r}, {otherwise}."
            )


def weights_digest(net: torch.nn.Module) -> str:
    """SHA-256 of all weights and running statistics: equal for equal runs."""
    digest = hashlib.sha256()
    for name, value in net.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()
