"""Exact retrieval: every item is scored, one block after another."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions
from recsys_course.serving.index import Found, Index, best

BLOCK = 2**24  # scores
ROWS, COLUMNS = 512, 2**16  # queries and items in a block at most
STRIP = 2**18  # scores of a block that are computed at once: 1 MiB
ONE_AT_A_TIME = Lock()


class Exact(Index):
    """Score every item and keep the best: the right answer by which approximate indexes are judged.

    Equal scores are ordered by item number. A search multiplies ``batch * n_items * dim`` times; choosing the best
    adds little, as ``top_k`` looks closely at few of the scores. Several blocks are searched at a time, one in each of
    torch's threads.

    Args:
        vectors: one row an item, float ``[n_items, dim]``.
        metric: ``"inner product"`` or ``"cosine"``.
        block: how many scores each thread has in memory, in float32: 64 MiB unless set. Choosing the best takes less
            than that again, unless the lists are about as long as there are items.

    Raises:
        ValueError: as for ``Index``, or ``block`` is below 1.
    """

    def __init__(self, vectors: Tensor, metric: str = "inner product", block: int = BLOCK) -> None:
        super().__init__(vectors, metric)
        if block < 1:
            raise ValueError(f"block must be at least 1, got {block}")
        self.block = block

    def search(
        self, queries: Tensor, k: int = 10, *, seen: Interactions | None = None, users: Tensor | None = None
    ) -> Found:
        """The ``k`` best items for each query, best first; see ``Index.search``."""
        queries = self._check(queries, k, seen, users)
        columns = min(self.n_items, COLUMNS, self.block)
        rows = min(self.block // columns, ROWS, max(len(queries), 1))
        tables = SimpleQueue()  # one for each thread, filled again for every block
        for _ in range(torch.get_num_threads()):
            tables.put(torch.from_numpy(np.empty((rows, columns), np.float32)))  # takes no memory before it is filled

        def search_block(start: int) -> Found:
            table, block = tables.get(), slice(start, start + rows)
            found = self._search(queries[block], k, *_pairs(seen, users, block), table)
            tables.put(table)
            return found

        blocks = in_threads(search_block, range(0, max(len(queries), 1), rows))
        return Found(*map(torch.cat, zip(*blocks, strict=True)))

    def _search(self, queries: Tensor, k: int, places: Tensor, seen: Tensor, table: Tensor) -> Found:
        """Search one block, in which query ``places[j]`` must not get item ``seen[j]``."""
        found = None
        for start in range(0, self.n_items, table.shape[1]):
            vectors = self.vectors_[start : start + table.shape[1]]
            scores = _multiply(queries, vectors, table[: len(queries), : len(vectors)])
            if len(seen):
                here = (seen >= start) & (seen < start + len(vectors))
                scores[places[here], seen[here] - start] = -torch.inf
            part = best(torch.arange(start, start + len(vectors)).expand(len(queries), -1), scores, k)
            found = part if found is None else best(*map(torch.hstack, zip(found, part, strict=True)), k)
        return found


def _multiply(queries: Tensor, vectors: Tensor, scores: Tensor) -> Tensor:
    """The inner products of all pairs, written into ``scores`` in strips that fit in the processor's cache."""
    width = STRIP // max(len(queries), 1)
    for strip, part in zip(vectors.split(width), scores.split(width, dim=1), strict=True):
        torch.mm(queries, strip.T, out=part)
    return scores


def _pairs(seen: Interactions | None, users: Tensor | None, block: slice) -> tuple[Tensor, Tensor]:
    """Places in a block of users and the items that each has seen, two int64 ``[events of these users]``."""
    if seen is None:
        return torch.empty(2, 0, dtype=torch.int64).unbind()
    place, row = seen.rows(users[block])
    return place, seen.items[row]


def in_threads(search: Callable[[int], Found], starts: Sequence[int]) -> list[Found]:
    """Search several blocks at a time, each in one thread, as many as torch uses.

    Threads with a block each wait for each other once; threads that share every product and maximum of one block wait
    hundreds of times. Meanwhile torch is set to one thread.
    """
    n_threads = torch.get_num_threads()
    if n_threads == 1 or len(starts) == 1:
        return [search(start) for start in starts]
    with ONE_AT_A_TIME, ThreadPoolExecutor(n_threads) as pool:
        torch.set_num_threads(1)
        try:
            return list(pool.map(search, starts))
        finally:
            torch.set_num_threads(n_threads)
