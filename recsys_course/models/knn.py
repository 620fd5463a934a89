"""Nearest neighbours from likes: items that the same users like, and users who like the same items."""

from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.models.similarity import (
    check_at_least,
    check_choice,
    keep_largest,
    nearest_by_likes,
    of_likes,
    with_data,
)

BATCH = 256  # users whose neighbours are looked for at once


class ItemKNN(Recommender):
    r"""Recommend what resembles the items a user liked.

    Two items resemble each other when the same users liked both; only the ``k`` most similar items :math:`N(i)` of
    each item are kept. The score of item :math:`i` is :math:`\sum_j \mathrm{sim}(i, j)` over the liked items in
    :math:`N(i)`. Source: Deshpande and Karypis, ACM TOIS 22(1), 2004.

    Args:
        k: neighbours kept for each item.
        similarity: ``cosine`` or ``jaccard``.
        shrink: multiply a similarity from :math:`n` users by :math:`n / (n + \mathrm{shrink})`.
        user_weights: ``equal``, or ``iuf``: a user with :math:`n` likes counts as :math:`\log(n_\mathrm{items} / n)`
            users, since whoever likes everything says nothing. The idea for items: Breese et al., UAI 1998.
        max_events: only this many of a user's latest likes count towards similarities; without it, all.
    """

    def __init__(
        self,
        k: int = 50,
        similarity: str = "cosine",
        shrink: float = 0.0,
        user_weights: str = "equal",
        max_events: int | None = None,
    ) -> None:
        self.k = k
        self.similarity = similarity
        self.shrink = shrink
        self.user_weights = user_weights
        self.max_events = max_events

    def fit(self, train: Interactions) -> Self:
        """Find the neighbours of each item from the positives, in memory that grows with ``k * n_items``.

        Raises:
            ValueError: a hyper-parameter is out of its range.
        """
        self._check_settings()
        self.train_ = train
        self.likes_ = train.positives()
        self.similar_ = nearest_by_likes(self._counted(), self.k, self.similarity, self.shrink)  # [n_items, n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Summed similarity to the user's liked items: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        return torch.from_numpy((likes.matrix(users) @ self.similar_.T).toarray())

    def neighbours(self, item: int, n: int = 10) -> tuple[Tensor, Tensor]:
        """The most similar items, best first: int64 and float ``[n]``, or fewer where fewer are left."""
        self._check_ids(items=torch.tensor([item]))
        return _best_first(self.similar_[item], n)

    def explain(self, user: int, item: int) -> tuple[Tensor, Tensor]:
        """Because of which liked items this item is recommended, and by how much.

        Returns:
            The items, int64 ``[n]``, and their parts of the score, largest first, float ``[n]``; the parts sum to
            the score.
        """
        self._check_ids(users=torch.tensor([user]), items=torch.tensor([item]))
        liked = self.likes_.matrix(torch.tensor([user]))
        return _best_first(self.similar_[item].multiply(liked).tocsr(), self.train_.n_items)

    def update(self, user: int, item: int) -> Self:
        """Learn one new like, later than all others: exactly as if fitted again with it.

        The similarities of one row and one column change. The other rows keep their lists but for that column's
        place, unless the item falls to the end of a full list and may fall out: such a row is counted again. With
        user weights or a cap one event moves the whole user, and the model is fitted again.
        """
        self._check_ids(users=torch.tensor([user]), items=torch.tensor([item]))
        train = _with_like(self.train_, user, item)
        if self.user_weights != "equal" or self.max_events is not None:
            return self.fit(train)
        self.train_, self.likes_ = train, train.positives()
        self._refresh(item)
        return self

    def _check_settings(self) -> None:
        check_at_least("k", self.k, 1)
        check_choice("user_weights", self.user_weights, ("equal", "iuf"))
        if self.max_events is not None:
            check_at_least("max_events", self.max_events, 1)

    def _counted(self) -> sparse.csr_matrix:
        """The likes that make similarities, each the root of its user's weight, CSR ``[n_users, n_items]``."""
        likes = self.likes_
        if self.max_events is not None:
            from_end = likes.ptr[likes.users + 1] - torch.arange(len(likes))  # 1 = the user's latest
            likes = likes.select(from_end <= self.max_events)
        matrix = likes.matrix()
        if self.user_weights == "iuf":
            counts = np.diff(matrix.indptr)
            weights = np.log(matrix.shape[1] / np.maximum(counts, 1))
            matrix = with_data(matrix, np.repeat(np.sqrt(weights), counts).astype(np.float32))
            matrix.eliminate_zeros()
        return matrix

    def _refresh(self, item: int) -> None:
        """Bring ``similar_`` up to date after one like of an item: its row, its column, and lists it may have left."""
        likes = self.likes_.matrix()
        together = (likes[:, [item]].T @ likes).tocoo()  # [1, n_items]
        sizes, others = likes.getnnz(axis=0).astype(np.float64), together.col[together.col != item]
        both = together.data[together.col != item].astype(np.float64)
        column = of_likes(self.similarity, self.shrink)(both, sizes[others], sizes[item]).astype(np.float32)
        old = self.similar_[others]
        rows, listed = np.repeat(np.arange(len(others)), np.diff(old.indptr)), old.indices == item
        least = np.full(len(others), np.inf, dtype=np.float32)
        np.minimum.at(least, rows, old.data)
        full = np.diff(old.indptr) == self.k
        unsure = np.isin(np.arange(len(others)), rows[listed]) & full & (column <= least)
        new = sparse.csr_matrix((column, (np.arange(len(others)), np.full(len(others), item))), shape=old.shape)
        exchanged = (with_data(old, np.where(listed, 0, old.data)) + new)[~unsure]
        counted = self._similar_rows(np.concatenate([[item], others[unsure]]), likes)
        rows = sparse.vstack([keep_largest(part, self.k) for part in (counted, exchanged)], format="csr")
        touched = np.concatenate([[item], others[unsure], others[~unsure]])
        self.similar_ = _replace_rows(self.similar_, touched, rows)

    def _similar_rows(self, items: np.ndarray, likes: sparse.csr_matrix) -> sparse.csr_matrix:
        """Similarities of some items with all others, CSR ``[len(items), n_items]``."""
        sizes, together = likes.getnnz(axis=0).astype(np.float64), (likes[:, items].T @ likes).tocoo()
        others = together.col != items[together.row]
        rows, columns = together.row[others], together.col[others]
        measure = of_likes(self.similarity, self.shrink)
        similar = measure(together.data[others].astype(np.float64), sizes[items[rows]], sizes[columns])
        return sparse.csr_matrix((similar.astype(np.float32), (rows, columns)), shape=together.shape)


class UserKNN(Recommender):
    r"""Recommend what the users with the most similar likes liked.

    The score of item :math:`i` for user :math:`u` is :math:`\sum_v \mathrm{sim}(u, v)` over the ``k`` most similar
    users :math:`v` who like :math:`i`. Neighbours are looked for when they are asked for, so that a history is treated
    like a user. Whoever likes exactly the same items, above all the user itself, is nobody's neighbour: it knows
    nothing new. Source: Resnick et al., CSCW 1994, for ratings.

    Args:
        k: neighbours of each user.
        similarity: ``cosine`` or ``jaccard``.
        shrink: multiply a similarity from :math:`n` items by :math:`n / (n + \mathrm{shrink})`.
    """

    def __init__(self, k: int = 50, similarity: str = "cosine", shrink: float = 0.0) -> None:
        self.k = k
        self.similarity = similarity
        self.shrink = shrink

    def fit(self, train: Interactions) -> Self:
        """Store the positives, by user and by item; nothing else is learnt.

        Raises:
            ValueError: a hyper-parameter is out of its range.
        """
        check_at_least("k", self.k, 1)
        of_likes(self.similarity, self.shrink)
        self.train_ = train
        self.likes_ = train.positives()
        self.by_user_ = self.likes_.matrix()  # [n_users, n_items]
        self.by_item_ = self.by_user_.T.tocsr()  # [n_items, n_users]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Summed similarity of the neighbours who like an item: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        parts = [(self._near(likes.matrix(batch)) @ self.by_user_).toarray() for batch in users.split(BATCH)]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))

    def neighbours(self, user: int, n: int = 10) -> tuple[Tensor, Tensor]:
        """The most similar users, best first: int64 and float ``[n]``, or fewer where fewer are left."""
        self._check_ids(users=torch.tensor([user]))
        return _best_first(self._near(self.by_user_[user]), n)

    def _near(self, mine: sparse.csr_matrix) -> sparse.csr_matrix:
        """The ``k`` neighbours of each row of likes: CSR ``[batch, n_items]`` to ``[batch, n_users]``."""
        together = (mine @ self.by_item_).tocoo()  # [batch, n_users]
        one, other = np.diff(mine.indptr)[together.row], np.diff(self.by_user_.indptr)[together.col]
        similar = of_likes(self.similarity, self.shrink)(together.data.astype(np.float64), one, other)
        similar[(together.data == one) & (together.data == other)] = 0  # the same likes, whoever it is
        return keep_largest(sparse.csr_matrix((similar, (together.row, together.col)), together.shape), self.k)


def _best_first(row: sparse.csr_matrix, n: int) -> tuple[Tensor, Tensor]:
    """Columns and entries of one row above 0, the largest first, ties by column: two ``[n or fewer]``."""
    order = np.lexsort((row.indices, -row.data))
    order = order[row.data[order] > 0][:n]
    return torch.from_numpy(row.indices[order].astype(np.int64)), torch.from_numpy(row.data[order])


def _replace_rows(matrix: sparse.csr_matrix, rows: np.ndarray, new: sparse.csr_matrix) -> sparse.csr_matrix:
    """The matrix with some rows exchanged."""
    kept = matrix.copy()
    kept.data[np.isin(np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), rows)] = 0
    new = new.tocoo()
    result = kept + sparse.csr_matrix((new.data, (rows[new.row], new.col)), shape=matrix.shape)
    result.eliminate_zeros()
    result.sort_indices()
    return result


def _with_like(train: Interactions, user: int, item: int) -> Interactions:
    """The events and one like more, a second after the last of all."""
    at = int(train.ptr[user + 1])
    time = int(train.times.max()) + 1 if len(train) else 0
    new = (torch.tensor([user]), torch.tensor([item]), torch.tensor([5.0]), torch.tensor([time]))
    columns = (train.users, train.items, train.ratings, train.times)
    both = (torch.cat([c[:at], one, c[at:]]) for c, one in zip(columns, new, strict=True))
    return Interactions(*both, train.n_users, train.n_items)
