"""Ring all-reduce by hand: each process ends with everybody's sum, and none ever talks to more than one other."""

import torch
import torch.nn.functional as F
from torch import Tensor


def ring_all_reduce(table: Tensor, steps: int) -> Tensor:
    r"""What every process holds after some steps round the ring; after :math:`2(n - 1)` it is everybody's sum.

    In step :math:`s` process :math:`r` sends its chunk :math:`(r - s) \bmod n` to its right neighbour. The first
    :math:`n - 1` messages are added to what is there (reduce-scatter): then process :math:`r` holds the whole sum of
    chunk :math:`r + 1`. The other :math:`n - 1` take its place (all-gather). Source: Patarasuk and Yuan, Bandwidth
    optimal all-reduce algorithms, Journal of Parallel and Distributed Computing 2009.

    Args:
        table: what each process brings, cut into as many chunks as there are processes, float ``[n, n, size]``:
            process, chunk, numbers.
        steps: how many, 0 to :math:`2(n - 1)`.

    Returns:
        The new table, ``[n, n, size]``; the one given stays as it is.

    >>> ring_all_reduce(torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]]]), steps=2).squeeze()
    tensor([[11., 22.],
            [11., 22.]])
    """
    n, table = len(table), table.clone()
    sender = torch.arange(n, device=table.device)
    receiver = (sender + 1) % n
    for step in range(steps):
        chunk = (sender - step) % n
        message = table[sender, chunk]  # [n, size]
        if step < n - 1:
            message = message + table[receiver, chunk]
        table[receiver, chunk] = message
    return table


def all_reduce(vectors: Tensor) -> tuple[Tensor, int]:
    """Everybody's sum by the ring, and how many bytes each process sent for it.

    Args:
        vectors: what each process brings, float ``[n, length]``; a length that n does not divide is filled up with
            zeros, which are sent as well.

    Returns:
        The sum as each process has it, ``[n, length]``, and the bytes.
    """
    n, length = vectors.shape
    table = F.pad(vectors, (0, -length % n)).unflatten(1, (n, -1))  # [n, n, size]
    steps = 2 * (n - 1)
    return ring_all_reduce(table, steps).flatten(1)[:, :length], steps * table[0, 0].nbytes
