"""The processes below another one, as Linux shows them in /proc."""

import os
import signal
import time


def parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return None


def heed_interrupts() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that it starts in turn."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def children(pid: int) -> list[int]:
    return sorted(child for child in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(child) == pid)


def alive(pid: int) -> bool:
    """Running, or stopped, but not a corpse that nobody has looked at."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def await_end(pids: list[int], seconds: float) -> bool:
    """Whether all of them end by themselves within so many seconds."""
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))
