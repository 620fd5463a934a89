"""The same search by faiss, the library that is used in practice."""

import os
import sys
from types import ModuleType

import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions
from recsys_course.serving.index import Found, Index, search_and_drop

RECIPES = {
    "flat": "Flat",
    "ivf": "IVF{n_lists},Flat",
    "hnsw": "HNSW{n_links}",
    "pq": "IVF{n_lists},PQ{n_codes}np",  # np: without a slow sorting of the codes that only another search needs
}
CODEWORDS = 256  # what one byte can tell apart


class Faiss(Index):
    """An index of the package faiss: all vectors, lists of vectors, a graph of neighbours, or lists of short codes.

    The order of equal scores is up to faiss. The scores of ``pq`` are computed from the codes: they are estimates.

    Args:
        vectors: one row an item, float ``[n_items, dim]``.
        kind: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"pq"``.
        metric: ``"inner product"`` or ``"cosine"``.
        n_lists: number of lists of ``ivf`` and ``pq``.
        n_links: neighbours that each vector has in the graph of ``hnsw``.
        n_codes: bytes that ``pq`` keeps of each vector; must divide ``dim``.

    Attributes:
        index_: faiss's own index.

    Raises:
        ImportError: faiss is not installed.
        ValueError: as for ``Index``, there is no such kind, or too few vectors for it.
    """

    def __init__(
        self,
        vectors: Tensor,
        kind: str = "flat",
        metric: str = "inner product",
        *,
        n_lists: int = 64,
        n_links: int = 32,
        n_codes: int = 8,
    ) -> None:
        super().__init__(vectors, metric)
        self.kind, self.n_lists, self.n_links, self.n_codes = kind, n_lists, n_links, n_codes
        self._check_kind()
        faiss = load_faiss()
        recipe = RECIPES[kind].format(n_lists=n_lists, n_links=n_links, n_codes=n_codes)
        self.index_ = faiss.index_factory(self.dim, recipe, faiss.METRIC_INNER_PRODUCT)
        if kind in ("ivf", "pq"):
            self.index_.cp.min_points_per_centroid = 1  # no warning about few vectors in the notebook
        if kind == "pq":
            self.index_.pq.cp.min_points_per_centroid = 1
        self.index_.train(self.vectors_.numpy())
        self.index_.add(self.vectors_.numpy())

    @property
    def n_bytes(self) -> int:
        """Size of the index if it were written to a file."""
        return load_faiss().serialize_index(self.index_).nbytes

    def search(
        self,
        queries: Tensor,
        k: int = 10,
        effort: int = 16,
        *,
        seen: Interactions | None = None,
        users: Tensor | None = None,
    ) -> Found:
        """The best items that faiss finds, best first; see ``Index.search``.

        Args:
            queries: float ``[batch, dim]``.
            k: length of the lists.
            effort: lists probed by ``ivf`` and ``pq``; candidates that ``hnsw`` keeps on its way, ``k`` at least.
            seen: events whose items are left out.
            users: whose query each row is, int64 ``[batch]``; needed with ``seen``.

        Raises:
            ValueError: as for ``Index.search``, or ``effort`` is below 1.
        """
        queries = self._check(queries, k, seen, users)
        if effort < 1:
            raise ValueError(f"effort must be at least 1, got {effort}")
        if self.kind in ("ivf", "pq"):
            self.index_.nprobe = effort
        elif self.kind == "hnsw":
            self.index_.hnsw.efSearch = effort
        return search_and_drop(lambda longer: self._search(queries, longer), k, seen, users)

    def _search(self, queries: Tensor, k: int) -> Found:
        load_faiss()  # with as many threads as torch has now
        scores, items = map(torch.from_numpy, self.index_.search(queries.numpy(), k))
        return Found(items, scores.masked_fill(items < 0, -torch.inf))

    def _check_kind(self) -> None:
        if self.kind not in RECIPES:
            raise ValueError(f"kind must be one of {', '.join(RECIPES)}, got {self.kind!r}")
        if self.kind in ("ivf", "pq") and not 1 <= self.n_lists <= self.n_items:
            raise ValueError(f"n_lists must lie in 1 to {self.n_items}, the number of vectors, got {self.n_lists}")
        if self.kind == "pq" and self.n_items < CODEWORDS:
            raise ValueError(f"pq learns {CODEWORDS} code words and needs as many vectors, got {self.n_items}")
        if self.kind == "pq" and (self.n_codes < 1 or self.dim % self.n_codes):
            raise ValueError(f"pq cuts a vector into n_codes equal parts: {self.n_codes} does not divide {self.dim}")


def load_faiss() -> ModuleType:
    """Import faiss, after torch, and give it as many threads as torch has; one on macOS.

    There, torch and faiss each bring an OpenMP library: the second one stops the process unless the variable
    ``KMP_DUPLICATE_LIB_OK`` is set, and crashes in parallel work.

    Raises:
        ImportError: faiss is not installed.
    """
    mac = sys.platform == "darwin"
    if mac:
        os.environ.setdefault("KMP_DUPLICATE_LIB_OK", "TRUE")
    try:
        import faiss
    except ImportError as error:
        raise ImportError("serving.Faiss needs the package faiss-cpu: pip install faiss-cpu") from error
    faiss.omp_set_num_threads(1 if mac else torch.get_num_threads())
    return faiss
