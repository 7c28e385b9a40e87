"""Files that run code when they are unpickled, in place of every file that the project reads: none may, and each is refused as damaged."""

import gzip
import hashlib
import io
import os
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from drnas_lib.runs import checkpoint
from tests.reliability.counts import Count, Executed
from tests.reliability.damage import Target, outcome, put_back


class Evil:
    """Unpickled, it makes the folder `marker`."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def of_torch(evil: Evil) -> bytes:
    file = io.BytesIO()
    torch.save({"fingerprint": "f", "epoch": 1, "state": evil}, file)
    return file.getvalue()


def with_checksum(payload: bytes) -> bytes:
    """As a checkpoint that has not been damaged."""
    return checkpoint.MAGIC + hashlib.sha256(payload).digest() + payload


def of_numpy(evil: Evil) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([evil], dtype=object), allow_pickle=True)
    return file.getvalue()


def of_parquet(evil: Evil) -> bytes:
    """An extension type whose description is a pickle, as pyarrow once opened it."""
    file = io.BytesIO()
    described = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(evil, 0)}
    fields = [pa.field("img", pa.int64(), metadata=described), pa.field("label", pa.int64())]
    pq.write_table(pa.table([[1], [1]], schema=pa.schema(fields)), file)
    return file.getvalue()


def of_yaml(tag: str) -> Callable[[Evil], bytes]:
    return lambda evil: f"seed: !!python/{tag} ['{evil.marker}']\n".encode()


CRAFTED: dict[str, Callable[[Evil], bytes]] = {
    **{f"pickle, protocol {protocol}": lambda evil, p=protocol: pickle.dumps(evil, p) for protocol in (0, 2, 4, 5)},
    "torch.save": of_torch,
    "checkpoint of a pickle": lambda evil: with_checksum(pickle.dumps(evil, 2)),
    "checkpoint of torch.save": lambda evil: with_checksum(of_torch(evil)),
    "numpy.save": of_numpy,
    "gzip of a pickle": lambda evil: gzip.compress(pickle.dumps(evil)),
    "parquet": of_parquet,
    "YAML apply": of_yaml("object/apply:os.mkdir"),
    "YAML new": of_yaml("object/new:os.mkdir"),
    "JSON of NaN": lambda evil: b'{"space": NaN, "parameters": {"a": Infinity}}',
    "JSON without end": lambda evil: b'{"space":' * 100_000,
}


def really_executes(evil: Evil) -> bool:
    """The proof that a crafted file would do something: unpickling it does."""
    pickle.loads(pickle.dumps(evil))
    done = evil.marker.is_dir()
    evil.marker.rmdir()
    return done


def not_executed(evil: Evil, target: Target, expected: object, kind: str) -> str:
    """Raises Executed, damage.Silent."""
    try:
        return outcome(target, expected, kind)
    finally:
        if evil.marker.exists():
            evil.marker.rmdir()
            raise Executed(f"{kind} in place of {target.file.name}")


def campaign(name: str, target: Target, place: Path) -> Count:
    """Every crafted content once in place of a file."""
    evil, began, done = Evil(place / "executed"), time.monotonic(), Count("crafted", name, 0)
    assert really_executes(evil)
    kept = target.folder.with_name(f"{target.folder.name}.whole")
    shutil.copytree(target.folder, kept)
    expected = target.read()
    for kind, made in CRAFTED.items():
        put_back(kept, target.folder)
        target.file.write_bytes(made(evil))
        done.attempt(lambda: not_executed(evil, target, expected, kind))  # noqa: B023
    put_back(kept, target.folder)
    shutil.rmtree(kept)
    done.seconds = time.monotonic() - began
    return done
