"""The ``k`` most similar columns of each column of a sparse matrix, without the full table of similarities.

Two ways to count which columns meet in which rows, and the cheaper one for each column:

- a *popular* column meets nearly every other one, so its counts are a dense row: for each column, sum the rows of
  the table that lie in it (``embedding_bag``), a block of popular columns at a time;
- *rare* columns meet few others, so only the pairs that occur are counted: a sparse product, a block of rows at a time.

Rare columns find their rare neighbours first; the ``k``-th of these is a lower bound that few popular ones pass.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # together, size of one, size of the other
LOW = np.int64(2**32 - 1)
SLACK = np.float32(1 - 1e-5)  # float32 picks the candidates, float64 decides among them
TINY = np.float32(1e-30)  # similarities are above it, or there is none
CELLS = 2**22  # numbers in one dense block


def pack(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """One int64 a similarity: larger is more similar, and of equal ones the lower column is larger, ``[n]``."""
    return (values.astype(np.float32).view(np.int32).astype(np.int64) << 32) | (LOW - columns)


def unpack(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarities, float32, and columns, int64, of what ``pack`` made, in the same shape."""
    return (keys >> 32).astype(np.int32).view(np.float32), LOW - (keys & LOW)


def largest(lengths: np.ndarray, keys: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` largest keys of each row, 0 where none is left, in no order: int64 ``[n_rows, k]``.

    Args:
        lengths: how many keys each row has, int ``[n_rows]``.
        keys: the keys, row after row, int64 ``[lengths.sum()]``.
        k: how many to keep.
    """
    return -np.partition(_pad(lengths, -keys, k), k - 1, axis=1)[:, :k]


def nearest_columns(matrix: sparse.csr_matrix, k: int, measure: Measure) -> sparse.csr_matrix:
    """The ``k`` columns most similar to each column, never the column itself; ties go to the lower number.

    Time grows with the entries of the popular columns' table and the pairs of rare columns that share a row; memory
    with ``k * n_columns``, the entries, and one block.

    Args:
        matrix: entries above 0, float32 CSR ``[n_rows, n_columns]``.
        k: neighbours of each column.
        measure: similarity of two columns from their inner product and their two sums of squares, in arrays that
            broadcast; it grows with the inner product and is 0 where that is 0.

    Returns:
        Similarities above 0, float32 CSR ``[n_columns, n_columns]``.
    """
    return _Search(matrix, k, measure).run()


def _pad(lengths: np.ndarray, values: np.ndarray, width: int) -> np.ndarray:
    """Rows of different lengths, one after the other, as a table filled up with 0: ``[n_rows, width or more]``."""
    inside = np.arange(max(width, int(lengths.max(initial=0)))) < lengths[:, None]
    table = np.zeros(inside.shape, dtype=values.dtype)
    table[inside] = values
    return table


def _kth_largest(negative: np.ndarray, k: int) -> np.ndarray:
    """The ``k``-th largest number of each row from their negatives, ``[n_rows, width]`` to ``[n_rows]``.

    Negatives, since numpy finds the small end of a row fast even when thousands of equal numbers are at the other.
    """
    return -np.partition(negative, k - 1, axis=1)[:, k - 1]


def _at_least(bound: np.ndarray) -> np.ndarray:
    """What a candidate must reach in float32 to be compared in float64; never as little as 0."""
    return np.maximum(bound * SLACK, TINY)


def _where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of what is true; faster than ``nonzero`` of a table."""
    return np.divmod(np.flatnonzero(mask), max(mask.shape[1], 1))


class _Search:
    """One run of ``nearest_columns``: columns in order of popularity, ``head`` of them counted as dense rows."""

    def __init__(self, matrix: sparse.csr_matrix, k: int, measure: Measure) -> None:
        entries = np.bincount(matrix.indices, minlength=matrix.shape[1])
        used = np.flatnonzero(entries)
        self.measure, self.n_all = measure, matrix.shape[1]
        self.order = used[np.lexsort((-used, -entries[used]))]  # [n], from popular to rare, of equals the lowest last
        self.columns = matrix.tocsc()[:, self.order]  # [n_rows, n]
        self.size = np.asarray(self.columns.power(2).sum(axis=0), dtype=np.float64).ravel()  # [n]
        self.size32 = self.size.astype(np.float32)
        self.n, self.k = len(self.order), max(1, min(k, len(self.order) - 1))
        self.best = np.zeros((self.n, self.k), dtype=np.int64)  # keys of the best neighbours so far
        self.head = self._cheapest_head()
        self.rare = self.columns[:, self.head :].astype(np.int8).tocsr()  # [n_rows, n - head]

    def run(self) -> sparse.csr_matrix:
        """Rare columns among themselves on all threads, then the popular ones against everything."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(self._count_rare, *self._rare_blocks()))
        width = max(1, min(256, CELLS // max(self.n, 1), 4 * CELLS // max(self.columns.shape[0], 1)))
        for start in range(0, self.head, width):
            self._count_popular(start, min(start + width, self.head))
        return self._result()

    def _cheapest_head(self) -> int:
        """How many popular columns to count densely, by the cost of a few choices.

        In nanoseconds, of which only the ratio matters: a dense column takes 0.1 for each entry of the matrix and 6
        for each column, a pair of rare columns in a row 13.
        """
        if self.n <= 512 or (self.columns.data != 1).any():
            return self.n
        heads = [0, *(2**power for power in range(8, 31) if 2**power < self.n), self.n]
        columns = np.repeat(np.arange(self.n), np.diff(self.columns.indptr))
        rare = (np.bincount(self.columns.indices[columns >= head]).astype(np.float64) for head in heads)
        pairs = np.array([counts @ counts for counts in rare])
        dense = np.array(heads) * (0.1 * self.columns.nnz + 6 * self.n)
        return heads[int((dense + 13 * pairs).argmin())]

    def _rare_blocks(self) -> tuple[list[int], list[int]]:
        """First and last of blocks of rare columns: at most 256, and of bounded work."""
        n_rare = self.n - self.head
        if not n_rare:
            return [], []
        rows, first = self.columns.indices, self.columns.indptr[self.head]
        pairs = np.add.reduceat(np.diff(self.rare.indptr)[rows[first:]], self.columns.indptr[self.head : -1] - first)
        block = pairs.cumsum() // CELLS + np.arange(n_rare) // 256
        starts = (self.head + np.flatnonzero(np.diff(block, prepend=-1))).tolist()
        return starts, [*starts[1:], self.n]

    def _count_rare(self, start: int, stop: int) -> None:
        """Pairs of some rare columns with all rare ones: keep the best.

        Sorted, what meets twice lies side by side; what meets once is the better the rarer it is, so that the last
        ``k`` of it are enough.
        """
        met, limits = self._sorted_pairs(start, stop)
        new = np.ones(len(met) + 1, dtype=bool)
        np.not_equal(met[1:], met[:-1], out=new[1:-1])
        single = met[new[:-1] & new[1:]]
        ends = np.searchsorted(single, limits)  # [stop - start + 1]
        last = ends[1:, None] - 1 - np.arange(self.k + 1)  # one more than k: the column itself may be there
        once = single[last[last >= ends[:-1, None]]]
        first, stops = np.flatnonzero(new[:-1] > new[1:]), np.flatnonzero(new[:-1] < new[1:])
        often, times = met[first], np.concatenate([np.ones(len(once)), stops - first + 1])
        rows, columns = np.divmod(np.concatenate([once, often]), self.n)
        kept = np.flatnonzero(rows + start != columns)
        kept = kept[np.argsort(rows[kept], kind="stable")]
        keys = self._keys(times[kept], rows[kept] + start, columns[kept])
        self.best[start:stop] = largest(np.bincount(rows[kept], minlength=stop - start), keys, self.k)

    def _sorted_pairs(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers ``row * n + column``, sorted, of whatever some rare columns meet, and each row's limits."""
        places = self.columns.indptr[start : stop + 1]
        rows = self.columns.indices[places[0] : places[-1]]
        limits = np.arange(stop - start + 1) * self.n
        limits = limits.astype(np.int32 if limits[-1] < 2**31 else np.int64)
        met = np.repeat(np.repeat(limits[:-1], np.diff(places)), np.diff(self.rare.indptr)[rows])
        met += self.rare[rows].indices
        met += self.head
        met.sort()
        return met, limits

    def _count_popular(self, start: int, stop: int) -> None:
        """Some popular columns with all: their own best neighbours, and what they add to the rare columns'."""
        together = self._sum_rows(start, stop)  # [stop - start, n]
        similar = self.measure(together, self.size32[start:stop, None], self.size32)
        similar[np.arange(stop - start), np.arange(start, stop)] = 0  # not its own neighbour
        own, others = _where(similar >= _at_least(self._lower_bound(similar))[:, None])
        keys = self._keys(together[own, others], own + start, others)
        self.best[start:stop] = largest(np.bincount(own, minlength=stop - start), keys, self.k)
        popular, rare = _where(similar[:, self.head :] >= _at_least(unpack(self.best[self.head :].min(axis=1))[0]))
        by_rare = np.argsort(rare, kind="stable")
        popular, rare = popular[by_rare], rare[by_rare] + self.head
        self._merge(rare, self._keys(together[popular, rare], rare, popular + start))

    def _sum_rows(self, start: int, stop: int) -> np.ndarray:
        """Inner products of some columns with all: for each column the sum of the block's rows in which it lies."""
        table = torch.from_numpy(self.columns[:, start:stop].toarray(order="C"))  # [n_rows, stop - start]
        rows, offsets, weights = map(torch.from_numpy, (self.columns.indices, self.columns.indptr, self.columns.data))
        sums = embedding_bag(rows, table, offsets, mode="sum", include_last_offset=True, per_sample_weights=weights)
        return sums.T.contiguous().numpy()

    def _lower_bound(self, similar: np.ndarray) -> np.ndarray:
        """At least ``k`` numbers of each row are this large: the ``k``-th of the maxima of 16 columns each."""
        if self.k > self.n // 16:
            return _kth_largest(-similar, self.k)
        groups = similar[:, : self.n // 16 * 16].reshape(len(similar), 16, -1)
        return _kth_largest(-groups.max(axis=1), self.k)

    def _merge(self, rows: np.ndarray, keys: np.ndarray) -> None:
        """Let new keys, sorted by row, compete with the best so far."""
        changed, lengths = np.unique(rows, return_counts=True)
        both = np.concatenate([-self.best[changed], _pad(lengths, -keys, 0)], axis=1)
        self.best[changed] = -np.partition(both, self.k - 1, axis=1)[:, : self.k]

    def _keys(self, together: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        similar = self.measure(together.astype(np.float64), self.size[rows], self.size[columns])
        return pack(similar, self.order[columns])

    def _result(self) -> sparse.csr_matrix:
        """The best of each column as a table, in the order of the columns' numbers."""
        values = self.best[np.argsort(self.order)]  # [n, k]
        lengths = np.zeros(self.n_all, dtype=np.int64)
        lengths[np.sort(self.order)] = (values > 0).sum(axis=1)
        keys = LOW - (values & LOW)
        values >>= 32  # in place, here and below: fresh memory costs more than the arithmetic
        keys <<= 32
        keys |= values
        keys[values == 0] = np.iinfo(np.int64).max
        keys.sort(axis=1)  # by column
        found = keys[keys < np.iinfo(np.int64).max]
        similar = (found & LOW).astype(np.int32).view(np.float32)
        found >>= 32
        places = np.concatenate([[0], lengths.cumsum()])
        return sparse.csr_matrix((similar, found.astype(np.int32), places), shape=(self.n_all, self.n_all))
