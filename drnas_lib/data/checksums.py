"""SHA256SUMS beside data files: where `sha256sum * > SHA256SUMS` was run once, a file that has changed since is refused.

A flipped bit in a JPEG is another picture, not an error: nothing else would notice it.
"""

import hashlib
from pathlib import Path

from drnas_lib.errors import DamagedData

SUMS = "SHA256SUMS"


def check(path: Path) -> bool:
    """True if SHA256SUMS beside `path` has its sum, False where there is no such file or line. Raises DamagedData for another sum."""
    sums = path.with_name(SUMS)
    if not sums.exists():
        return False
    try:
        lines = (line.partition(" ") for line in sums.read_text(errors="replace").splitlines())
        expected = {name.lstrip(" *").removeprefix("./"): digest for digest, _, name in lines}.get(path.name)
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedData(f"{path} cannot be checked by {sums}: {error}") from error
    if expected is not None and found != expected.lower():
        raise DamagedData(f"{path}: SHA-256 {found}, by {sums} it was {expected}. Copy it again, or correct {SUMS}.")
    return expected is not None
