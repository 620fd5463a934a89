"""An inverted file by hand: vectors grouped into lists around centroids, of which a search visits a few."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.base import top_k
from recsys_course.data.interactions import Interactions
from recsys_course.serving.exact import Exact
from recsys_course.serving.index import Found, Index, search_and_drop


def kmeans(
    vectors: Tensor, n_lists: int, *, spherical: bool = False, n_rounds: int = 10, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Group vectors around the means of the groups: Lloyd's algorithm from randomly chosen vectors.

    A group that loses its last vector keeps its centroid, and may stay empty.

    Args:
        vectors: float32 ``[n_items, dim]``.
        n_lists: number of groups.
        spherical: group by cosine instead of distance: the vectors must have length 1, and the centroids get it.
        n_rounds: how often the vectors are grouped and the means taken.
        seed: of the choice of the first centroids.

    Returns:
        Centroids, float32 ``[n_lists, dim]``, and the group of each vector, int64 ``[n_items]``.

    Raises:
        ValueError: there are fewer vectors than groups, or no group.
    """
    if not 1 <= n_lists <= len(vectors):
        raise ValueError(f"n_lists must lie in 1 to {len(vectors)}, the number of vectors, got {n_lists}")
    chosen = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed))[:n_lists]
    centroids = vectors[chosen]
    for _ in range(n_rounds):
        lists = _nearest(vectors, centroids, spherical)
        counts = torch.bincount(lists, minlength=n_lists)[:, None]  # [n_lists, 1]
        means = torch.zeros_like(centroids).index_add_(0, lists, vectors) / counts.clamp(min=1)
        centroids = torch.where(counts > 0, F.normalize(means) if spherical else means, centroids)
    return centroids, _nearest(vectors, centroids, spherical)


def _nearest(vectors: Tensor, centroids: Tensor, spherical: bool) -> Tensor:
    r"""The centroid of each vector, int64 ``[n_items]``.

    The nearest has the largest :math:`x^\top c - \lVert c \rVert^2 / 2`: an inner product with one number more.
    """
    if not spherical:
        size = vectors.abs().max().clamp(min=torch.finfo(torch.float32).tiny)  # no square overflows or vanishes
        vectors, centroids = vectors / size, centroids / size
        centroids = torch.cat([centroids, centroids.square().sum(dim=1, keepdim=True) / -2], dim=1)
        vectors = F.pad(vectors, (0, 1), value=1.0)
    return Exact(centroids).search(vectors, 1).items.squeeze(1)


class IVF(Index):
    """Only search the lists whose centroids fit the query best.

    The lists come from ``kmeans``, by distance for the inner product and by angle for the cosine; a query probes those
    whose centroids have the largest inner product with it. All lists probed is an exact search. Equal scores are
    ordered by item number.

    Args:
        vectors: one row an item, float ``[n_items, dim]``.
        n_lists: number of lists; the square root of the number of items is a good start.
        metric: ``"inner product"`` or ``"cosine"``.
        seed: of the clustering.

    Attributes:
        centroids_: float32 ``[n_lists, dim]``.
        items_: item numbers list after list, ascending in each, int64 ``[n_items]``.
        grouped_: their vectors in that order, so that the vectors of a list lie together, float32 ``[n_items, dim]``.
        ptr_: list ``j`` is ``items_[ptr_[j]:ptr_[j + 1]]``, int64 ``[n_lists + 1]``.

    Raises:
        ValueError: as for ``Index``, or there are fewer items than lists.
    """

    def __init__(self, vectors: Tensor, n_lists: int = 64, metric: str = "inner product", seed: int = 0) -> None:
        super().__init__(vectors, metric)
        self.n_lists, self.seed = n_lists, seed
        self.centroids_, lists = kmeans(self.vectors_, n_lists, spherical=metric == "cosine", seed=seed)
        self.items_ = lists.argsort(stable=True)
        self.ptr_ = F.pad(torch.bincount(lists, minlength=n_lists).cumsum(0), (1, 0))
        self.grouped_ = self.vectors_[self.items_]

    @property
    def lists_(self) -> tuple[Tensor, ...]:
        """The item numbers of each list, ``n_lists`` tensors of int64."""
        return self.items_.split(self.ptr_.diff().tolist())

    def search(
        self,
        queries: Tensor,
        k: int = 10,
        n_probes: int = 1,
        *,
        seen: Interactions | None = None,
        users: Tensor | None = None,
    ) -> Found:
        """The best items of the lists probed, best first; see ``Index.search``.

        Args:
            queries: float ``[batch, dim]``.
            k: length of the lists returned; ``-1`` where the lists probed hold fewer.
            n_probes: how many lists are probed.
            seen: events whose items are left out.
            users: whose query each row is, int64 ``[batch]``; needed with ``seen``.

        Raises:
            ValueError: as for ``Index.search``, or ``n_probes`` is not in 1 to ``n_lists``.
        """
        queries = self._check(queries, k, seen, users)
        if not 1 <= n_probes <= self.n_lists:
            raise ValueError(f"n_probes must lie in 1 to {self.n_lists}, the number of lists, got {n_probes}")
        probed = top_k(queries @ self.centroids_.T, n_probes).tolist()  # [batch, n_probes]
        return search_and_drop(lambda longer: self._search(queries, probed, longer), k, seen, users)

    def _search(self, queries: Tensor, probed: list[list[int]], k: int) -> Found:
        """Search the lists given for each query."""
        found = Found(torch.full((len(queries), k), -1), torch.full((len(queries), k), -torch.inf))
        ends = self.ptr_.tolist()
        for row, (query, numbers) in enumerate(zip(queries, probed, strict=True)):
            slices = [slice(ends[number], ends[number + 1]) for number in numbers]
            items = torch.cat([self.items_[part] for part in slices]).numpy()  # [n_candidates]
            scores = torch.cat([self.grouped_[part] @ query for part in slices]).numpy()
            first = _first(items, scores, k)
            found.items[row, : len(first)] = torch.from_numpy(items[first])
            found.scores[row, : len(first)] = torch.from_numpy(scores[first])
        return found


def _first(items: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the ``k`` largest scores, best first, of equal ones the lowest item: int64 ``[k]``, or all."""
    least = np.partition(scores, -k)[-k] if k < len(scores) else -np.inf
    places = np.flatnonzero(scores >= least)
    return places[np.lexsort((items[places], -scores[places]))[:k]]
