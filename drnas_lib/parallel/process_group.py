"""The processes of a run: gradients averaged over them (`mean`; DDP in `wrap`), sums and names. A single process exchanges nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drnas_lib.data.batches import WHOLE, Share
from drnas_lib.parallel.averages import averaged
from drnas_lib.parallel.synchronised_norm import synchronised


class ProcessGroup:
    """The processes of a torch.distributed group, of which this one sees `share` of a batch; gradients and statistics are those of all."""

    def __init__(self, share: Share = WHOLE):
        self.share, self.is_rank_zero, self.is_distributed = share, share.rank == 0, share.world_size > 1

    @classmethod
    def joined(cls) -> "ProcessGroup":
        """The group that this process has joined."""
        return cls(Share(torch.distributed.get_rank(), torch.distributed.get_world_size()))

    def synchronise_batch_norm(self, net: nn.Module) -> nn.Module:
        """`net`, in place, with batch norm statistics of the whole batch."""
        return synchronised(net) if self.is_distributed else net

    def wrap(self, net: nn.Module) -> nn.Module:
        """`net` with such statistics, in a module that averages the gradients."""
        if not self.is_distributed:
            return net
        device = next(net.parameters()).device
        ids = [device] if device.type == "cuda" else None
        # static_graph: weights of nodes that no other node reads get no gradient.
        return DistributedDataParallel(self.synchronise_batch_norm(net), device_ids=ids, broadcast_buffers=False, static_graph=True)

    def mean(self, gradient: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Each tensor averaged over the processes, which gives the gradient of the loss on the whole batch."""
        return averaged(gradient) if self.is_distributed else gradient

    def all_reduce_sum(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.is_distributed:
            torch.distributed.all_reduce(value)
        return value

    def union(self, names: list[str]) -> list[str]:
        """The sorted names of all processes."""
        parts: list[list[str]] = [names] * self.share.world_size
        if self.is_distributed:
            torch.distributed.all_gather_object(parts, names)
        return sorted({name for part in parts for name in part})

    @contextmanager
    def rank_zero_first(self) -> Iterator[None]:
        """Run the block in the process of rank zero, then in the others."""
        if not self.is_rank_zero:
            self.barrier()
        yield
        if self.is_rank_zero:
            self.barrier()

    def barrier(self) -> None:
        """Return when all processes have come here."""
        if self.is_distributed:
            torch.distributed.barrier()


SINGLE_PROCESS = ProcessGroup()
