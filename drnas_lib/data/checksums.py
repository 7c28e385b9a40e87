"""SHA256SUMS beside data files: where `sha256sum * > SHA256SUMS` was run once, a file that has changed since is refused.

A flipped bit in a JPEG is another picture, not an error, so nothing else would tell.
"""

import hashlib
from pathlib import Path

from drnas_lib.errors import DamagedData

SUMS = "SHA256SUMS"


def check(path: Path) -> bool:
    """Whether SHA256SUMS beside `path` vouches for it; False where there is none, or none that names it. Raises DamagedData."""
    sums = path.with_name(SUMS)
    if not sums.exists():
        return False
    try:
        lines = (line.partition(" ") for line in sums.read_text(errors="replace").splitlines())
        expected = {name.lstrip(" *").removeprefix("./"): digest for digest, _, name in lines}
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedData(f"{path} cannot be checked by {sums}: {error}") from error
    if path.name not in expected:
        return False
    if found != expected[path.name].lower():
        raise DamagedData(f"{path}: SHA-256 {found}, by {sums} it was {expected[path.name]}. Copy it again, or correct {SUMS}.")
    return True
