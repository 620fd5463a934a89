"""How well and how fast an index answers."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


def recall_at(approximate: Tensor, exact: Tensor) -> Tensor:
    r"""Share of the exact lists that an approximate search found.

    .. math:: \frac{|A_q \cap E_q|}{|E_q|}

    Args:
        approximate: items found, :math:`A_q`, ``-1`` for an empty place, int64 ``[batch, any]``.
        exact: the right items, :math:`E_q`, ``-1`` for an empty place, int64 ``[batch, k]``.

    Returns:
        One value in :math:`[0, 1]` a query, NaN where the exact list is empty, float ``[batch]``.

    Raises:
        ValueError: there is not one list of each kind for each query.

    >>> recall_at(torch.tensor([[7, 3, -1]]), torch.tensor([[3, 4]]))
    tensor([0.5000])
    """
    if approximate.ndim != 2 or exact.ndim != 2 or len(approximate) != len(exact):
        raise ValueError(f"one list a query is needed, got {list(approximate.shape)} and {list(exact.shape)}")
    right = exact >= 0  # [batch, k]
    found = (exact[:, :, None] == approximate[:, None, :]).any(dim=2) & right
    return found.sum(dim=1) / right.sum(dim=1)


class Latency(NamedTuple):
    """Milliseconds that one query takes: half of the queries are faster than ``p50``, 99 in 100 than ``p99``."""

    p50: float
    p99: float


def latency(search: Callable[[Tensor], object], queries: Tensor, warm_up: int = 20) -> Latency:
    """Search for one query at a time, as a server does, and read off the clock.

    The 99th percentile is a quantile of what was measured, never in between: of fewer than 100 queries, the slowest.

    Args:
        search: called with each query, float ``[1, dim]``, such as ``lambda query: index.search(query, 10)``.
        queries: float ``[n_queries, dim]``.
        warm_up: how many searches come first that do not count: the first ones fill caches and start threads.

    Raises:
        ValueError: there is no query.
    """
    if not len(queries):
        raise ValueError("latency needs at least one query")
    for number in range(warm_up):
        search(queries[number % len(queries)][None])
    times = []
    for query in queries.split(1):
        start = time.perf_counter()
        search(query)
        times.append((time.perf_counter() - start) * 1e3)
    quantiles = torch.tensor([0.5, 0.99], dtype=torch.float64)
    values = torch.tensor(times, dtype=torch.float64).quantile(quantiles, interpolation="higher")
    return Latency(*values.tolist())
