"""What every index shares: its metric, its checks, and lists without what the user has seen."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.base import top_k
from recsys_course.data.interactions import Interactions

METRICS = ("inner product", "cosine")
LARGEST = 1e15  # so that no inner product overflows in float32


class Found(NamedTuple):
    """What a search returns.

    Attributes:
        items: best first, ``-1`` where no item is left, int64 ``[batch, k]``.
        scores: inner products or cosines, ``-inf`` where no item is left, float32 ``[batch, k]``.
    """

    items: Tensor
    scores: Tensor


class Index(ABC):
    """Vectors of items that can be searched by the vector of a query.

    Everything is computed on the CPU in float32, wherever the vectors come from.

    Args:
        vectors: one row an item, float ``[n_items, dim]``.
        metric: ``"inner product"``, or ``"cosine"``, for which items and queries are brought to length 1; the cosine
            of a vector of zeros with any other is 0.

    Attributes:
        vectors_: the item vectors as they are compared, float32 ``[n_items, dim]``.

    Raises:
        ValueError: there is no such metric, no vector, or a vector with NaN or a value of 1e15 or more.
    """

    def __init__(self, vectors: Tensor, metric: str = "inner product") -> None:
        if metric not in METRICS:
            raise ValueError(f'metric must be "inner product" or "cosine", got {metric!r}')
        self.metric = metric
        self.vectors_ = self._prepare("vectors", vectors).clone()  # the model may be trained on
        if not self.vectors_.numel():
            raise ValueError(f"an index needs at least one vector of one number, got shape {list(vectors.shape)}")

    @property
    def n_items(self) -> int:
        """Number of vectors."""
        return len(self.vectors_)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self.vectors_.shape[1]

    @abstractmethod
    def search(
        self, queries: Tensor, k: int = 10, *, seen: Interactions | None = None, users: Tensor | None = None
    ) -> Found:
        """The ``k`` best items for each query, best first.

        Args:
            queries: float ``[batch, dim]``.
            k: length of the lists.
            seen: events whose items are left out of the lists, such as the training events.
            users: whose query each row is, int64 ``[batch]``; needed with ``seen``.

        Raises:
            ValueError: a query has the wrong shape, or a value that no vector may have, ``k`` is below 1, or ``seen``
                and ``users`` do not fit.
        """

    def _check(self, queries: Tensor, k: int, seen: Interactions | None, users: Tensor | None) -> Tensor:
        """The queries, prepared like the vectors."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        queries = self._prepare("queries", queries)
        if queries.shape[1] != self.dim:
            raise ValueError(f"the index holds vectors of {self.dim} numbers, the queries have {queries.shape[1]}")
        if seen is not None:
            self._check_seen(seen, users, len(queries))
        return queries

    def _prepare(self, name: str, vectors: Tensor) -> Tensor:
        """The vectors on the CPU in float32, at length 1 if the metric is the cosine."""
        vectors = torch.as_tensor(vectors).detach().cpu()
        if vectors.ndim != 2:
            raise ValueError(f"{name} must be a table with one row a vector, got shape {list(vectors.shape)}")
        usual = (vectors.abs() < LARGEST).all(dim=1)  # [n], False for NaN as well
        if not usual.all():
            raise ValueError(f"{name}: row {int(usual.int().argmin())} holds NaN or a value of {LARGEST:g} or more")
        if self.metric == "cosine":  # in float64 no square overflows or vanishes
            vectors = F.normalize(vectors.double(), dim=1, eps=1e-60)
        return vectors.float().contiguous()

    def _check_seen(self, seen: Interactions, users: Tensor | None, batch: int) -> None:
        if users is None or users.shape != (batch,):
            raise ValueError(f"seen needs users, one for each of the {batch} queries")
        if seen.n_items != self.n_items:
            raise ValueError(f"the index holds {self.n_items} items, seen counts {seen.n_items}")
        if batch and not (users.min() >= 0 and users.max() < seen.n_users):
            raise ValueError(f"users must lie in 0 to {seen.n_users - 1}, got {int(users.min())} to {int(users.max())}")


def best(items: Tensor, scores: Tensor, k: int) -> Found:
    """The ``k`` best of some candidates, where of equal scores the first column wins.

    Args:
        items: int64 ``[batch, n_candidates]``.
        scores: ``-inf`` for what must not be found, float ``[batch, n_candidates]``.
        k: length of the lists.
    """
    columns = top_k(scores, k)  # [batch, k]
    missing = columns < 0
    if not scores.shape[1]:
        return Found(columns, torch.full(columns.shape, -torch.inf))
    columns = columns.masked_fill(missing, 0)
    return Found(
        items.gather(1, columns).masked_fill(missing, -1), scores.gather(1, columns).masked_fill(missing, -torch.inf)
    )


def search_and_drop(search: Callable[[int], Found], k: int, seen: Interactions | None, users: Tensor | None) -> Found:
    """Search for more than ``k`` items and drop what each user has seen: for an index that cannot leave items out.

    Args:
        search: from a list length to the lists.
        k: how many items are kept.
        seen: events whose items are dropped; None for none.
        users: whose lists these are, int64 ``[batch]``.
    """
    if seen is None or not len(seen) or not len(users):
        return search(k)
    found = search(k + int((seen.ptr[users + 1] - seen.ptr[users]).max()))
    pairs = users[:, None] * seen.n_items + found.items  # [batch, longer]
    place = torch.searchsorted(seen.keys, pairs).clamp(max=len(seen) - 1)
    dropped = seen.keys[place] == pairs
    return best(found.items, found.scores.masked_fill(dropped, -torch.inf), k)


def add_dimension(vectors: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    r"""One number more for each vector, so that the largest inner product becomes the nearest neighbour.

    The vectors become equally long, :math:`M`, the length of the longest; the queries gain a zero:

    .. math:: \tilde x = \left(x, \sqrt{M^2 - \lVert x \rVert^2}\right), \quad \tilde q = (q, 0), \quad
        \lVert \tilde q - \tilde x \rVert^2 = \lVert q \rVert^2 + M^2 - 2 q^\top x

    Source: Bachrach et al., Speeding up the Xbox recommender system using a Euclidean transformation for inner-product
    spaces, RecSys 2014.

    Args:
        vectors: :math:`x`, float ``[n_items, dim]``.
        queries: :math:`q`, float ``[batch, dim]``.

    Returns:
        Float ``[n_items, dim + 1]`` and ``[batch, dim + 1]``.
    """
    squares = vectors.square().sum(dim=1, keepdim=True)  # [n_items, 1]
    return torch.cat([vectors, (squares.max() - squares).sqrt()], dim=1), F.pad(queries, (0, 1))
