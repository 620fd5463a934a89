"""The one protocol that every recommender of the course follows."""

from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.data.interactions import Interactions

RUN = 64  # columns: long enough for a fast maximum, short enough that few scores are left to compare
BLOCK = 2**23  # scores that exist at one time: 34 MB, whatever the catalogue and however many users ask


class Recommender(ABC):
    """Learn from interactions, then score every item for a batch of users.

    A subclass writes ``fit`` and ``scores``; ``recommend`` comes free. Hyper-parameters go to ``__init__`` and are
    stored untouched; whatever ``fit`` learns ends in an underscore.
    """

    train_: Interactions

    @abstractmethod
    def fit(self, train: Interactions) -> Self:
        """Learn from the training events, store them as ``train_`` and return ``self``."""

    @abstractmethod
    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Score all items, higher is better: int64 ``[batch]`` to float ``[batch, n_items]``.

        Args:
            users: int64 ``[batch]``.
            history: what these users did, if not the training events: their prefixes, or new users' first events.
        """

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """The rating each user would give an item, in stars: two int64 ``[n]`` to float ``[n]``.

        Raises:
            ValueError: the model scores items without predicting ratings.
        """
        raise ValueError(f"{type(self).__name__} predicts no ratings: use scores or recommend")

    @torch.no_grad()
    def recommend(
        self, users: Tensor, k: int = 10, *, exclude_seen: bool = True, candidates: Tensor | None = None
    ) -> Tensor:
        """The ``k`` best items of each user, best first; equal scores are ordered by item number.

        The users are gone through in blocks, so that memory does not grow with their number.

        Args:
            users: int64 ``[batch]``.
            k: length of the lists.
            exclude_seen: leave out what the user has an event with in training.
            candidates: the only items allowed, int64 ``[n_candidates]``; without it, all.

        Returns:
            Int64 ``[batch, k]``; ``-1`` where no item is left.

        Raises:
            ValueError: a user or candidate does not exist, ``k`` is below 1 or a score is NaN.
        """
        self._check_ids(users=users, candidates=candidates)
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        blocks = users.split(max(1, BLOCK // max(1, self.train_.n_items)))
        return torch.cat([self._best(block, k, exclude_seen, candidates) for block in blocks])

    def _best(self, users: Tensor, k: int, exclude_seen: bool, candidates: Tensor | None) -> Tensor:
        """The lists of so few users that all their scores fit in memory at one time."""
        scores = self.scores(users).cpu()  # [batch, n_items]
        if scores.isnan().any():
            raise ValueError(f"{type(self).__name__} scored NaN for user {int(users[scores.isnan().any(1)][0])}")
        banned = torch.zeros_like(scores, dtype=torch.bool)
        if candidates is not None:
            banned = banned.logical_not().index_fill(1, candidates, False)
        if exclude_seen:
            banned |= self.train_.dense(users)
        return top_k(scores.masked_fill(banned, -torch.inf), k)

    def _check_ids(self, **columns: Tensor | None) -> None:
        """Refuse users, or items under any other name, that the training events do not know."""
        if not hasattr(self, "train_"):
            raise ValueError(f"{type(self).__name__} has not learnt yet: call fit(train) first")
        for name, ids in columns.items():
            n = self.train_.n_users if name == "users" else self.train_.n_items
            if ids is not None and len(ids) and not (ids.min() >= 0 and ids.max() < n):
                raise ValueError(f"{name} must lie in 0 to {n - 1}, got {int(ids.min())} to {int(ids.max())}")


def top_k(scores: Tensor, k: int) -> Tensor:
    """Columns of the ``k`` largest scores of each row, ties by column, ``-1`` where only ``-inf`` is left.

    The k best lie in the k runs of neighbouring columns with the largest maxima, where of equal maxima the first run
    wins: before any other run come k runs, each with a score that is larger, or equal and further to the left. So the
    scores are read once, for the maxima, and only ``k * RUN`` of them are compared with each other.

    Args:
        scores: without NaN, float ``[batch, n_items]``.
        k: how many.

    Returns:
        Int64 ``[batch, k]``.
    """
    batch, n_items = scores.shape
    n_runs, width = n_items // RUN, min(k, n_items)
    if not width or not batch:
        return torch.full((batch, k), -1)
    scores = scores.detach().cpu()
    scores = scores.float() if scores.dtype == torch.bfloat16 else scores  # numpy has no bfloat16
    candidates, columns = scores.numpy(), None
    if n_runs > 2 * width:
        table = scores[:, : n_runs * RUN].unflatten(1, (n_runs, RUN))
        runs = _largest(table.amax(dim=2).numpy(), width)  # [batch, width]
        chosen = table.numpy()[np.arange(batch)[:, None], runs].reshape(batch, -1)
        candidates = np.concatenate([chosen, scores[:, n_runs * RUN :]], axis=1)  # the last columns fill no run
        columns = np.pad(runs, ((0, 0), (0, 1)), constant_values=n_runs)
    places = torch.from_numpy(_largest(candidates, width))
    best = torch.from_numpy(candidates).gather(1, places).sort(dim=1, descending=True, stable=True)
    items = places.gather(1, best.indices)
    if columns is not None:
        items = torch.from_numpy(columns).gather(1, items // RUN) * RUN + items % RUN
    return F.pad(items.masked_fill(best.values == -torch.inf, -1), (0, k - width), value=-1)


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the ``k`` largest scores of each row, ascending; of equal scores the first: int64 ``[batch, k]``.

    In numpy, which finds the k-th largest several times faster than torch.
    """
    border = np.partition(scores, -k, axis=1)[:, -k, None]  # [batch, 1]
    keep = scores >= border
    if np.count_nonzero(keep) > k * len(scores):  # a tie straddles the border of some rows
        rows = np.flatnonzero(np.count_nonzero(keep, axis=1) > k)
        tied = scores[rows] == border[rows]
        above = keep[rows] & ~tied
        keep[rows] = above | (tied & (tied.cumsum(axis=1) <= k - above.sum(axis=1, keepdims=True)))
    return np.flatnonzero(keep).reshape(-1, k) % scores.shape[1]


def device() -> torch.device:
    """The GPU where there is one, else the CPU; nothing needs to be set."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_memory() -> int:
    """Bytes of memory that are free on the device."""
    return torch.cuda.mem_get_info()[0] if device().type == "cuda" else psutil.virtual_memory().available


def check_memory(n_bytes: int, what: str) -> None:
    """Refuse work that would not fit in the memory that is free on the device, before it starts.

    Args:
        n_bytes: what the work needs at its peak.
        what: its name in the message, such as ``EASE on 40,981 items``.

    Raises:
        ValueError: there is less memory than that.
    """
    free = free_memory()
    if n_bytes > free:
        raise ValueError(
            f"{what} needs {n_bytes / 1e9:,.1f} GB of memory and {free / 1e9:,.1f} GB are free: "
            "use fewer items (data.k_core) or a sparse model such as ItemKNN"
        )
