"""The one protocol that every recommender of the course follows."""

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions


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

    @torch.no_grad()
    def recommend(
        self, users: Tensor, k: int = 10, *, exclude_seen: bool = True, candidates: Tensor | None = None
    ) -> Tensor:
        """The ``k`` best items of each user, best first; equal scores are ordered by item number.

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
        self._check_request(users, k, candidates)
        scores = self.scores(users).cpu()  # [batch, n_items]
        if scores.isnan().any():
            raise ValueError(f"{type(self).__name__} scored NaN for user {int(users[scores.isnan().any(1)][0])}")
        banned = torch.zeros_like(scores, dtype=torch.bool)
        if candidates is not None:
            banned = banned.logical_not().index_fill(1, candidates, False)
        if exclude_seen:
            banned |= self.train_.dense(users)
        return top_k(scores.masked_fill(banned, -torch.inf), k)

    def _check_request(self, users: Tensor, k: int, candidates: Tensor | None) -> None:
        if not hasattr(self, "train_"):
            raise ValueError(f"{type(self).__name__} has not learnt yet: call fit(train) first")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        allowed = {"users": (users, self.train_.n_users), "candidates": (candidates, self.train_.n_items)}
        for name, (ids, n) in allowed.items():
            if ids is not None and len(ids) and not (ids.min() >= 0 and ids.max() < n):
                raise ValueError(f"{name} must lie in 0 to {n - 1}, got {int(ids.min())} to {int(ids.max())}")


def top_k(scores: Tensor, k: int) -> Tensor:
    """Columns of the ``k`` largest scores of each row, ties by column, ``-1`` where only ``-inf`` is left.

    Args:
        scores: float ``[batch, n_items]``.
        k: how many.

    Returns:
        Int64 ``[batch, k]``.
    """
    width = min(k, scores.shape[1])
    best = scores.topk(width, dim=1)
    items = best.indices.sort(dim=1).values  # by column first, so that the stable sort below keeps ties in order
    order = scores.gather(1, items).sort(dim=1, descending=True, stable=True)
    items = items.gather(1, order.indices)
    last = order.values[:, -1:]  # [batch, 1]; a tie that straddles the end of the list needs the full sort
    unclear = ((scores >= last).sum(1) > width) & (last[:, 0] > -torch.inf)
    items[unclear] = scores[unclear].sort(dim=1, descending=True, stable=True).indices[:, :width]
    items = items.masked_fill(scores.gather(1, items) == -torch.inf, -1)
    return torch.nn.functional.pad(items, (0, k - width), value=-1)


def device() -> torch.device:
    """The GPU where there is one, else the CPU; nothing needs to be set."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
