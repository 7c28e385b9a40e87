"""How many operators a piece of work launches: on a GPU each costs about two microseconds, however small it is."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

LAUNCH_NOTHING = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "lift_fresh"}


class _Counter(TorchDispatchMode):
    """Counts the operators called within the block, forward and backward, that are neither views nor allocate without computing."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        is_view = any(value.alias_info is not None and not value.alias_info.is_write for value in function._schema.returns)
        self.count += not is_view and function.namespace == "aten" and function.overloadpacket.__name__ not in LAUNCH_NOTHING
        return function(*args, **(kwargs or {}))


def operators(work: Callable[[], object]) -> int:
    """The number of operators that `work` launches, forward and backward."""
    with _Counter() as counter:
        work()
    return counter.count
