"""Item-based nearest neighbours in their plainest form."""

from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions


class ItemKNN(Recommender):
    r"""Recommend what resembles the items a user liked.

    Two items resemble each other when the same users liked both, measured by the cosine of their columns,
    :math:`\mathrm{sim}(i, j) = |U_i \cap U_j| / \sqrt{|U_i| |U_j|}`; only the ``k`` most similar items of each item
    are kept. Source: Deshpande and Karypis, ACM TOIS 22(1), 2004.

    Args:
        k: neighbours kept for each item.
    """

    def __init__(self, k: int = 50) -> None:
        self.k = k

    def fit(self, train: Interactions) -> Self:
        """Compute the similarities from the positives; memory grows with the pairs that share a user."""
        self.train_ = train
        self.likes_ = train.positives()
        likes = self.likes_.matrix()  # [n_users, n_items]
        together = (likes.T @ likes).tocoo()  # [n_items, n_items], users who like both
        others = together.row != together.col  # an item is not its own neighbour
        i, j, n = together.row[others], together.col[others], likes.sum(axis=0).A1.astype(np.float64)
        cosine = (together.data[others] / np.sqrt(n[i] * n[j])).astype(np.float32)
        similar = sparse.csr_matrix((cosine, (i, j)), shape=together.shape)
        self.similar_ = keep_largest(similar, self.k)  # [n_items, n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Summed similarity to the user's liked items: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        return torch.from_numpy((likes.matrix(users) @ self.similar_.T).toarray())


def keep_largest(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Keep the ``k`` largest entries of each row, ties by column, in CSR ``[n_rows, n_columns]``."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))  # by row, then from the largest
    rank = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = order[rank < k]
    return sparse.csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)
