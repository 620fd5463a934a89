"""A table of vectors whose rows live in different processes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from recsys_course.distributed.place import gather


class ShardedEmbedding(nn.Module):
    """Look up rows of a table of which each process keeps one part: row ``r`` lives in process ``r % world``.

    A look-up sends each row number to the process that has the row, once however often it occurs in the batch, and
    gets the vector back: two exchanges of all with all. In the backward pass each gradient takes the same way to the
    row's owner. The owner divides the sum by the number of processes, as DDP does with the gradients of its copies:
    the loss of a step is the mean of the losses of the processes.

    Learnt: ``weight`` ``[ceil((n_rows - rank) / world), dim]``.

    Args:
        table: the first values of all rows, float ``[n_rows, dim]``; only this process's are kept.

    Raises:
        ValueError: no process group has been started.
    """

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        if not dist.is_initialized():
            raise ValueError("rows are dealt to the processes of a group: start it first (launch does)")
        self.n_rows, self.rank, self.world = len(table), dist.get_rank(), dist.get_world_size()
        self.weight = nn.Parameter(table[self.rank :: self.world].detach().clone())
        self.weight.register_hook(lambda gradient: gradient / self.world)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of these rows: int64 ``[batch]`` to float ``[batch, dim]``; every process must take part."""
        distinct, place = ids.unique(return_inverse=True)
        order = (distinct % self.world).argsort(stable=True)
        asked = torch.bincount(distinct % self.world, minlength=self.world)  # [world], of each process
        answered = torch.empty_like(asked)  # [world], for each process
        dist.all_to_all_single(answered, asked)
        asked, answered = asked.tolist(), answered.tolist()
        wanted = _Exchange.apply(distinct[order], asked, answered)
        vectors = _Exchange.apply(self.weight[wanted // self.world], answered, asked)  # [n_distinct, dim]
        return vectors[order.argsort()][place]

    @torch.no_grad()
    def table(self) -> Tensor:
        """All rows, put together from every process, on the CPU: float ``[n_rows, dim]``."""
        longest = -(-self.n_rows // self.world)
        padded = self.weight.new_zeros(longest, self.weight.shape[1])
        padded[: len(self.weight)] = self.weight
        return gather(padded).transpose(0, 1).flatten(0, 1)[: self.n_rows]


class _Exchange(torch.autograd.Function):
    """Each process sends so many rows to each other one; gradients go back the way that the rows came."""

    @staticmethod
    def forward(ctx, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        ctx.sent, ctx.received = sent, received
        result = rows.new_empty(sum(received), *rows.shape[1:])
        dist.all_to_all_single(result, rows.contiguous(), received, sent)
        return result

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return _Exchange.apply(gradient, ctx.received, ctx.sent), None, None
