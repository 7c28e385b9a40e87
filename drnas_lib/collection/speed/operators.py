"""How many operators a piece of work launches: on a GPU each costs about two microseconds, however small it is."""

from collections import Counter
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode

LAUNCH_NOTHING = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view", "lift_fresh"}


def launches(function: torch._ops.OpOverload) -> bool:
    """Whether an operator computes anything: neither a view of its input nor memory without content."""
    views = any(value.alias_info is not None and not value.alias_info.is_write for value in function._schema.returns)
    return not views and function.namespace == "aten" and function.overloadpacket.__name__ not in LAUNCH_NOTHING


class OperatorCounter(TorchDispatchMode):
    """`counts`: by name, the operators called within the block, forward and backward."""

    def __init__(self):
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.counts[function.overloadpacket.__name__] += launches(function)
        return function(*args, **(kwargs or {}))


def operators(work: Callable[[], object]) -> int:
    """The number that `work` launches."""
    with OperatorCounter() as counter:
        work()
    return counter.counts.total()
