"""Exchange between the processes of a run: none in `SingleProcess`; gradients, sums and names in `DistributedGroup`."""

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drnas_lib.data.batches import Share
from drnas_lib.parallel.synchronised_norm import averaged, synchronised


class SingleProcess:
    """A single process, which exchanges nothing."""

    share = Share()
    first = True

    def common(self, net: nn.Module) -> nn.Module:
        return net

    def wrap(self, net: nn.Module) -> nn.Module:
        return net

    def mean(self, gradient: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return gradient

    def total(self, value: Tensor) -> Tensor:
        return value

    def union(self, names: list[str]) -> list[str]:
        return names

    def wait(self) -> None:
        return None


class DistributedGroup:
    """The processes of a torch.distributed group: each sees its share of a batch; gradients and batch norm statistics are those of all."""

    def __init__(self) -> None:
        self.share = Share(torch.distributed.get_rank(), torch.distributed.get_world_size())
        self.first = self.share.rank == 0

    def common(self, net: nn.Module) -> nn.Module:
        """`net`, in place, with batch norm statistics of the whole batch."""
        return synchronised(net)

    def wrap(self, net: nn.Module) -> nn.Module:
        """`common(net)` in a module that averages the gradients."""
        device = next(net.parameters()).device
        # static_graph: weights of nodes that no other node reads get no gradient.
        return DistributedDataParallel(
            self.common(net), device_ids=[device] if device.type == "cuda" else None, broadcast_buffers=False, static_graph=True
        )

    def mean(self, gradient: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Each tensor averaged over the processes, which gives the gradient of the loss on the whole batch."""
        return averaged(gradient)

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        torch.distributed.all_reduce(value)
        return value

    def union(self, names: list[str]) -> list[str]:
        """The sorted names of all processes."""
        parts: list[list[str]] = [[] for _ in range(self.share.of)]
        torch.distributed.all_gather_object(parts, names)
        return sorted({name for part in parts for name in part})

    def wait(self) -> None:
        torch.distributed.barrier()


SINGLE_PROCESS = SingleProcess()
ProcessGroup = SingleProcess | DistributedGroup
