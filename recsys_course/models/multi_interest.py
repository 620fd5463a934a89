"""Several vectors a user: one for each interest, because the middle between two tastes may be no taste at all."""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.profiles import centres, group

MERGES = ("share", "max")


class MultiInterest(Recommender):
    r"""Group a user's likes into interests, search with each of them, and merge what they find.

    With :math:`c_j` the direction of interest :math:`j` and :math:`q_i` an item's vector, merging by ``max`` scores
    :math:`\max_j c_j^\top q_i`; merging by ``share`` deals the places of the list in proportion to the interests'
    shares :math:`s_j` of the likes: an item that interest :math:`j` ranks at place :math:`r` among the new ones scores
    :math:`-\min_j r_{ij} / s_j`. With one interest both give the order of the mean vector.
    Sources: Weston, Weiss and Yee, RecSys 2013 (max); Pal et al., KDD 2020, arXiv:2007.03634 (grouping by Ward).

    Args:
        vectors: of the items, learnt from training events alone or from texts, float ``[n_items, dim]``.
        n_interests: at most so many for each user; without it, as many as ``spread`` leaves, more for wider tastes.
        spread: groups are joined while Ward's distance of unit vectors is at most this.
        merge: ``share`` or ``max``.
    """

    def __init__(
        self, vectors: Tensor, n_interests: int | None = None, spread: float = 2.0, merge: str = "share"
    ) -> None:
        self.vectors = vectors
        self.n_interests = n_interests
        self.spread = spread
        self.merge = merge

    def fit(self, train: Interactions) -> Self:
        """Store the positives; grouping happens when a user asks.

        Raises:
            ValueError: there is not one vector an item, or no such ``merge``.
        """
        if len(self.vectors) != train.n_items:
            raise ValueError(f"vectors must hold one row an item, got {len(self.vectors)} for {train.n_items} items")
        if self.merge not in MERGES:
            raise ValueError(f"merge must be one of {', '.join(MERGES)}, got {self.merge!r}")
        self.train_ = train
        self.likes_ = train.positives()
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Merge what the interests find: int64 ``[batch]`` to float ``[batch, n_items]``; all 0 without a like."""
        likes = self.likes_ if history is None else history.positives()
        seen = (self.train_ if history is None else history).dense(users)  # [batch, n_items]
        place, row = likes.rows(users)
        counts = place.bincount(minlength=len(users)).tolist()
        found = [self._of_one(items, gone) for items, gone in zip(likes.items[row].split(counts), seen, strict=True)]
        return torch.stack(found) if found else torch.zeros(0, len(self.vectors))

    def interests(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Directions and shares of the interests behind some liked items, the largest first.

        Args:
            items: int64 ``[n_likes]``.

        Returns:
            Float ``[n_interests, dim]``, of length 1, and ``[n_interests]``.
        """
        liked = self.vectors[items]
        means, shares = centres(liked, group(liked, self.n_interests, self.spread))
        order = shares.argsort(descending=True, stable=True)
        return F.normalize(means[order], dim=1), shares[order]

    def _of_one(self, items: Tensor, seen: Tensor) -> Tensor:
        """Scores of one user: liked items ``[n_likes]``, what is known already, bool ``[n_items]``."""
        if not len(items):
            return torch.zeros(len(self.vectors))
        directions, shares = self.interests(items)
        fits = directions @ self.vectors.T  # [n_interests, n_items]
        if self.merge == "max" or len(shares) == 1:
            return fits.amax(dim=0)
        return -(_ranks(fits, seen) / shares.unsqueeze(1)).amin(dim=0)


def _ranks(fits: Tensor, seen: Tensor) -> Tensor:
    """Rank of each item among the new ones, from 1, ties by number: ``[n_interests, n_items]``, bool ``[n_items]``."""
    order = fits.sort(dim=1, descending=True, stable=True).indices
    new = (~seen)[order].float()  # [n_interests, n_items], in the order of the fits
    return torch.empty_like(fits).scatter_(1, order, new.cumsum(dim=1) - new + 1)
