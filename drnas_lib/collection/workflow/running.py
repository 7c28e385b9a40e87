"""Where an executed notebook is while its job makes it, and the lock that the job holds until it ends."""

from pathlib import Path

from filelock import FileLock, Timeout


def unfinished(out: Path) -> Path:
    """The notebook `out` before it gets its final name: running/ beside it."""
    return out.parent / "running" / out.name


def lock_of(out: Path) -> FileLock:
    """The lock of the job that makes `out`; the system releases it however the job ends."""
    return FileLock(unfinished(out).with_suffix(".lock"))


def is_running(out: Path) -> bool:
    """Whether a job that makes `out` runs, on this machine or on another one that shares the folder."""
    lock = lock_of(out)
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
