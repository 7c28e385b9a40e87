"""How the processes of a run share a network, sums and names: `SingleProcess`, or `DistributedGroup` for torch.distributed."""

from collections.abc import Sequence

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drnas_lib.data.batches import Share
from drnas_lib.parallel.synchronised_norm import averaged, synchronised


class SingleProcess:
    """A single process: nothing to share."""

    share = Share()
    first = True

    def common(self, net: nn.Module) -> nn.Module:
        return net

    def wrap(self, net: nn.Module) -> nn.Module:
        return net

    def mean(self, gradient: Sequence[Tensor]) -> Sequence[Tensor]:
        return gradient

    def total(self, value: Tensor) -> Tensor:
        return value

    def union(self, names: list[str]) -> list[str]:
        return names

    def wait(self) -> None:
        return None


class DistributedGroup:
    """The processes of a torch.distributed group: each sees its share of a batch, gradients are averaged, statistics are common."""

    def __init__(self):
        self.share = Share(torch.distributed.get_rank(), torch.distributed.get_world_size())
        self.first = self.share.rank == 0

    def common(self, net: nn.Module) -> nn.Module:
        """`net`, in place, with normalisations that count the whole batch."""
        return synchronised(net)

    def wrap(self, net: nn.Module) -> nn.Module:
        """`net`, in place, as above; the result computes with averaged gradients."""
        device = next(net.parameters()).device
        # static_graph: a cell may have nodes that nothing reads, whose weights get no gradient.
        return DistributedDataParallel(
            self.common(net), device_ids=[device] if device.type == "cuda" else None, broadcast_buffers=False, static_graph=True
        )

    def mean(self, gradient: Sequence[Tensor]) -> Sequence[Tensor]:
        """Each tensor averaged over the processes: the gradient of the loss on the whole batch."""
        return averaged(list(gradient))

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        torch.distributed.all_reduce(value)
        return value

    def union(self, names: list[str]) -> list[str]:
        parts: list[list[str]] = [[] for _ in range(self.share.of)]
        torch.distributed.all_gather_object(parts, names)
        return sorted({name for part in parts for name in part})

    def wait(self) -> None:
        torch.distributed.barrier()


SINGLE_PROCESS = SingleProcess()
ProcessGroup = SingleProcess | DistributedGroup
