"""Nearest neighbours that predict ratings: a baseline, corrected by how the neighbours deviate from theirs."""

from collections.abc import Iterable, Iterator
from itertools import islice, repeat
from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender, check_memory
from recsys_course.data.interactions import Interactions
from recsys_course.models.similarity import (
    check_at_least,
    check_choice,
    check_rating_measure,
    columns_alike,
    keep_largest,
    pattern,
    rows_alike,
    with_data,
)

SWEEPS = 10  # over the two sets of biases, which then no longer move
BATCH = 256  # users at once


class RatingKNN(Recommender):
    r"""Predict a rating from what similar items got from this user, or what similar users gave to this item.

    With the baseline :math:`b_{ui} = \mu + b_u + b_i` and the ``k`` nearest neighbours :math:`N` among the items that
    :math:`u` has rated:

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{j \in N} s_{ij} (r_{uj} - b_{uj})}{\sum_{j \in N} s_{ij}}

    By users the neighbours are those who rated :math:`i`, and :math:`r_{vi} - b_{vi}` is averaged. Neither the item
    nor the user is its own neighbour, so the rating asked for never votes on itself; users with exactly the same
    ratings are left out as well, since they have rated nothing else. Only similarities above 0 count. Without a
    neighbour the prediction is the baseline. Of a pair rated twice the later rating counts.
    Source: Koren, KDD 2008.

    Args:
        k: neighbours of each prediction.
        by: ``items`` or ``users``.
        similarity: ``adjusted cosine``, ``pearson``, ``cosine`` or ``jaccard``, over co-rated entries. The adjusted
            cosine takes off the user's mean by items, and the item's mean by users.
        shrink: multiply a similarity from :math:`n` common raters by :math:`n / (n + \mathrm{shrink})`.
        min_support: pairs with fewer common raters are not neighbours.
        damping: ratings of 0 deviation that each bias is averaged with, so that few ratings say little.
    """

    def __init__(
        self,
        k: int = 40,
        by: str = "items",
        similarity: str = "adjusted cosine",
        shrink: float = 100.0,
        min_support: int = 2,
        damping: float = 5.0,
    ) -> None:
        self.k = k
        self.by = by
        self.similarity = similarity
        self.shrink = shrink
        self.min_support = min_support
        self.damping = damping

    def fit(self, train: Interactions) -> Self:
        """Learn the baseline and, by items, all similarities above 0: memory grows with the pairs with a common user.

        Raises:
            ValueError: there is no rating, a hyper-parameter is out of its range, or the similarities do not fit in the
                memory that is free.
        """
        check_at_least("k", self.k, 1)
        check_choice("by", self.by, ("items", "users"))
        check_at_least("damping", self.damping, 0)
        check_rating_measure(self.similarity, self.shrink, self.min_support)
        if not len(train):
            raise ValueError("RatingKNN needs at least one rating to learn from, got none")
        if self.by == "items":
            pairs = min(train.n_items**2, int(train.ptr.diff().square().sum()))  # with a common user, at most
            what = f"RatingKNN by items on {train.n_items:,} items"
            check_memory(16 * pairs, what)  # 8 bytes a pair, twice while the table is put together
        self.train_ = train
        self.ratings_ = latest_ratings(train)  # [n_users, n_items]
        self.range_ = (float(self.ratings_.data.min()), float(self.ratings_.data.max()))
        self._fit_baseline()
        if self.by == "items":
            alike = columns_alike(self.ratings_, self.similarity, self.shrink, self.min_support)
            self.similar_ = with_data(alike, alike.data.clip(0))  # [n_items, n_items]
        else:
            self.raters_ = with_data(self.ratings_, self._deviations(self.ratings_)[1]).T.tocsr()  # [n_items, n_users]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The predicted ratings, not clipped to the scale: int64 ``[batch]`` to float ``[batch, n_items]``."""
        ratings = self.ratings_ if history is None else latest_ratings(history)
        everything = np.arange(self.train_.n_items)
        rows = [row for batch in users.split(BATCH) for row in self._rows(ratings[batch.numpy()], repeat(everything))]
        return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(len(users), len(everything)))

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """The predicted ratings, clipped to the scale of the training ratings: two int64 ``[n]`` to float ``[n]``."""
        self._check_ids(users=users, items=items)
        order = users.argsort(stable=True)
        everyone, counts = users.unique(return_counts=True)
        wanted = iter(items[order].numpy()[stop - n : stop] for n, stop in zip(counts, counts.cumsum(0), strict=True))
        rows = [row for batch in everyone.split(BATCH) for row in self._rows(self.ratings_[batch.numpy()], wanted)]
        found = torch.empty(len(users))
        found[order] = torch.from_numpy(np.concatenate([np.zeros(0), *rows]).astype(np.float32))
        return found.clamp(*self.range_)

    def _fit_baseline(self) -> None:
        """The mean and the items' biases; a user's follows from its ratings, so that a history has one too."""
        ratings, counts = self.ratings_, np.bincount(self.ratings_.indices, minlength=self.train_.n_items)
        self.mean_ = float(ratings.data.mean())
        self.item_bias_ = np.zeros(self.train_.n_items)
        rows = np.repeat(np.arange(ratings.shape[0]), np.diff(ratings.indptr))
        for _ in range(SWEEPS):
            rest = ratings.data - self.mean_ - self._deviations(ratings)[0][rows]
            sums = np.bincount(ratings.indices, rest, minlength=self.train_.n_items)
            self.item_bias_ = sums / np.maximum(counts + self.damping, 1e-9)

    def _deviations(self, ratings: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """The bias of each row, ``[n_rows]``, and each rating minus its baseline, ``[n_ratings]``."""
        counts = np.diff(ratings.indptr)
        rows = np.repeat(np.arange(ratings.shape[0]), counts)
        rest = ratings.data - self.mean_ - self.item_bias_[ratings.indices]
        bias = np.bincount(rows, rest, minlength=len(counts)) / np.maximum(counts + self.damping, 1e-9)
        return bias, rest - bias[rows]

    def _rows(self, ratings: sparse.csr_matrix, wanted: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """For each row of ratings, CSR ``[batch, n_items]``, the predictions for the items wanted of it."""
        bias, rest = self._deviations(ratings)
        alike = self._like_users(ratings) if self.by == "users" else [None] * len(bias)
        for user, (items, others) in enumerate(zip(islice(wanted, len(bias)), alike, strict=True)):
            own = slice(ratings.indptr[user], ratings.indptr[user + 1])
            voters, deviations = self._voters(items, ratings.indices[own], rest[own], others)
            near = keep_largest(voters, self.k)  # [len(items), n_voters]
            votes = np.asarray(near.multiply(deviations).sum(axis=1)).ravel()
            weight = np.asarray(near.sum(axis=1)).ravel()
            yield (
                self.mean_
                + bias[user]
                + self.item_bias_[items]
                + np.divide(votes, weight, out=np.zeros(len(items)), where=weight > 0)
            )

    def _voters(self, items, rated, rest, others):
        """Who may vote on some items, by similarity, and by how much each vote is above the baseline."""
        if others is None:
            return self.similar_[rated][:, items].T.tocsr(), rest
        raters = self.raters_[items]  # [len(items), n_users]
        return with_data(raters, others[raters.indices]), raters

    def _like_users(self, ratings: sparse.csr_matrix) -> np.ndarray:
        """Similarity of some users with those of training, 0 for equal ratings: ``[batch, n_users]``."""
        mine, theirs = self._centred(ratings), self._centred(self.ratings_)
        alike = rows_alike(mine, theirs, self.similarity, self.shrink, self.min_support).toarray()
        alike[_twins(ratings, self.ratings_)] = 0
        return alike.clip(0)

    def _centred(self, ratings: sparse.csr_matrix) -> sparse.csr_matrix:
        """The ratings minus the item's mean in training, for the adjusted cosine alone."""
        if self.similarity != "adjusted cosine":
            return ratings
        counts = np.bincount(self.ratings_.indices, minlength=self.train_.n_items)
        sums = np.bincount(self.ratings_.indices, self.ratings_.data, minlength=self.train_.n_items)
        return with_data(ratings, ratings.data - (sums / np.maximum(counts, 1))[ratings.indices])


def latest_ratings(events: Interactions) -> sparse.csr_matrix:
    """The last rating of each pair, float64 CSR ``[n_users, n_items]``; a rating of 0 has a place as well."""
    pairs = (events.users * events.n_items + events.items).numpy()
    keys, from_end = np.unique(pairs[::-1], return_index=True)
    users, items = np.divmod(keys, max(events.n_items, 1))
    ratings = events.ratings.numpy()[::-1][from_end].astype(np.float64)
    places = np.r_[0, np.bincount(users, minlength=events.n_users).cumsum()]
    return sparse.csr_matrix((ratings, items, places), shape=(events.n_users, events.n_items))


def _twins(mine: sparse.csr_matrix, theirs: sparse.csr_matrix) -> np.ndarray:
    """Which rows of two tables are equal: bool ``[n_mine, n_theirs]``."""
    here, there = pattern(mine), pattern(theirs)
    both = (here @ there.T).toarray()
    squares = [np.asarray(table.power(2).sum(axis=1)).ravel() for table in (mine, theirs)]
    apart = squares[0][:, None] + squares[1] - 2 * (mine @ theirs.T).toarray()
    same_places = (both == np.diff(mine.indptr)[:, None]) & (both == np.diff(theirs.indptr))
    return same_places & (apart < 1e-9)
