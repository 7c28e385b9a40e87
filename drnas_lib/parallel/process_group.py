"""Exchange between the processes of a run: none in `ProcessGroup`; gradients, sums and names in `DistributedGroup`."""

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drnas_lib.data.batches import WHOLE, Share
from drnas_lib.parallel.synchronised_norm import averaged, synchronised


class ProcessGroup:
    """A single process, which exchanges nothing; `share` are the images of a batch that it sees."""

    def __init__(self, share: Share = WHOLE):
        self.share, self.first = share, share.rank == 0

    def common(self, net: nn.Module) -> nn.Module:
        """`net`, in place, with batch norm statistics of the whole batch."""
        return net

    def wrap(self, net: nn.Module) -> nn.Module:
        """`common(net)` in a module that averages the gradients."""
        return net

    def mean(self, gradient: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Each tensor averaged over the processes, which gives the gradient of the loss on the whole batch."""
        return gradient

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        return value

    def union(self, names: list[str]) -> list[str]:
        """The sorted names of all processes."""
        return names

    def wait(self) -> None:
        """Return when all processes have come here."""


class DistributedGroup(ProcessGroup):
    """The processes of a torch.distributed group: each sees its share of a batch; gradients and batch norm statistics are those of all."""

    def __init__(self) -> None:
        super().__init__(Share(torch.distributed.get_rank(), torch.distributed.get_world_size()))

    def common(self, net: nn.Module) -> nn.Module:
        return synchronised(net)

    def wrap(self, net: nn.Module) -> nn.Module:
        device = next(net.parameters()).device
        ids = [device] if device.type == "cuda" else None
        # static_graph: weights of nodes that no other node reads get no gradient.
        return DistributedDataParallel(self.common(net), device_ids=ids, broadcast_buffers=False, static_graph=True)

    def mean(self, gradient: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return averaged(gradient)

    def total(self, value: Tensor) -> Tensor:
        torch.distributed.all_reduce(value)
        return value

    def union(self, names: list[str]) -> list[str]:
        parts: list[list[str]] = [[] for _ in range(self.share.of)]
        torch.distributed.all_gather_object(parts, names)
        return sorted({name for part in parts for name in part})

    def wait(self) -> None:
        torch.distributed.barrier()


SINGLE_PROCESS = ProcessGroup()
