"""Files cut, flipped, emptied, exchanged and taken away: what reads them ends as with the whole file, or says which file it is."""

import os
import random
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.reliability.counts import Count

NOBODY = 65534  # root may read everything


class Silent(AssertionError):
    """A damaged file gave another result and nobody said so, or an error that does not help."""


@dataclass(frozen=True)
class Target:
    """`read()` is what a user does with `file`, its answer comparable; `errors` are what it may raise; `folder` is put back every time.

    `other` is a file of another run of the same kind. `states(answer)`: the answer is another one, and says so itself. `named`: what a
    message must hold, by default the name of the file.
    """

    folder: Path
    file: Path
    read: Callable[[], object]
    errors: tuple[type[Exception], ...]
    other: Path | None = None
    states: Callable[[object], bool] = lambda answer: False
    named: str = ""


def cut(path: Path, draw: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content))])


def flip(bits: int) -> Callable[[Path, random.Random], None]:
    def damage(path: Path, draw: random.Random) -> None:
        content = bytearray(path.read_bytes())
        for _ in range(bits):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)

    return damage


def zeros(path: Path, draw: random.Random) -> None:
    """A block of the disk that was never written."""
    content = bytearray(path.read_bytes())
    start = draw.randrange(len(content))
    content[start : start + 64] = bytes(len(content[start : start + 64]))
    path.write_bytes(content)


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def folder_instead(path: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path, draw: random.Random) -> None:
    path.unlink()


def unreadable(path: Path, draw: random.Random) -> None:
    path.chmod(0)


def noise(path: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(len(path.read_bytes())))


DAMAGES = {
    "a bit": flip(1),
    "eight bits": flip(8),
    "cut": cut,
    "zeros": zeros,
    "noise": noise,
    "empty": empty,
    "gone": gone,
    "a folder": folder_instead,
    "not readable": unreadable,
}
USUAL = ("a bit", "a bit", "a bit", "eight bits", "cut", "zeros")  # between the others, which have one way to happen


def campaign(name: str, target: Target, count: int, seed: int) -> Count:
    """`count` damages of one file."""
    draw, began, done = random.Random(f"{name} {seed}"), time.monotonic(), Count("damage", name, seed)
    kept = target.folder.with_name(f"{target.folder.name}.whole")
    shutil.copytree(target.folder, kept)
    expected = target.read()
    for kind, damage in damages(target, count, draw):
        put_back(kept, target.folder)
        damage(target.file, draw)
        done.attempt(lambda: outcome(target, expected, kind))  # noqa: B023
    put_back(kept, target.folder)
    shutil.rmtree(kept)
    done.seconds = time.monotonic() - began
    return done


def damages(target: Target, count: int, draw: random.Random) -> Iterator[tuple[str, Callable]]:
    """Each kind once, then those that differ from time to time."""
    kinds = dict(DAMAGES)
    if target.other is not None:
        kinds["exchanged"] = lambda path, draw: shutil.copy(target.other, path)
    for number, (kind, damage) in enumerate(kinds.items()):
        if number < count:
            yield kind, damage
    for _ in range(count - len(kinds)):
        kind = draw.choice(USUAL)
        yield kind, DAMAGES[kind]


def outcome(target: Target, expected: object, kind: str) -> str:
    """Raises Silent."""
    try:
        with warnings.catch_warnings(), without_privileges(kind == "not readable", target.folder):
            warnings.simplefilter("ignore")  # that an older checkpoint is used
            answer = target.read()
    except target.errors as error:
        message = str(error)
        if (target.named or target.file.name) not in message or len(message) < 30:
            raise Silent(f"{target.file.name}, {kind}: the message does not help: {message}") from error
        return "told"
    except Exception as error:
        raise Silent(f"{target.file.name}, {kind}: {type(error).__name__}: {error}") from error
    if same(answer, expected):
        return "exact"
    if target.states(answer):
        return "stated"
    raise Silent(f"{target.file.name}, {kind}: another result, and nothing said")


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.shape == other.shape and bool((one == other).all())
    return one == other


@contextmanager
def without_privileges(wanted: bool, folder: Path) -> Iterator[None]:
    """Within the block the process may do what any user may; `folder` is everybody's, with the permissions that its files have."""
    if not wanted or os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def put_back(kept: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
