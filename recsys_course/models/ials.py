"""Implicit feedback by alternating least squares: every cell counts, and one shared matrix makes that cheap."""

from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.models.mf import similar_lengths

START = 6  # sweeps in which all cells weigh the same: one matrix serves all rows, so that they cost almost nothing


class IALS(Recommender):
    r"""Factorise the table of likes, the empty cells included.

    With :math:`x_{ui} = 1` where user :math:`u` likes item :math:`i` and 0 elsewhere, it minimises over all cells

    .. math:: \sum_{u,i} (1 + \alpha x_{ui}) (x_{ui} - p_u^\top q_i)^2
              + \lambda \Big( \sum_u \lVert p_u \rVert^2 + \sum_i \lVert q_i \rVert^2 \Big)

    one side at a time. The matrix of a user's normal equations is
    :math:`Q^\top Q + \lambda I + \alpha Q_u^\top Q_u`: the first two terms are the same for all users, and
    :math:`Q_u` holds only the items that the user likes, so that the empty cells cost nothing. The last half-step is
    the users': a user who is folded in from the training likes gets the training vector back.
    Source: Hu, Koren and Volinsky, ICDM 2008, section 4.

    Learnt: ``user_factors_`` ``[n_users, dim]`` and ``item_factors_`` ``[n_items, dim]``; the vector 0 for whoever
    has no like.

    Args:
        dim: length of the vectors.
        epochs: how often both sides are solved, after a cheap start in which all cells weigh the same.
        alpha: how much more a like weighs than an empty cell, :math:`\alpha`.
        reg: the penalty :math:`\lambda`, above 0.
        seed: of the first vectors.
    """

    def __init__(self, dim: int = 64, epochs: int = 5, alpha: float = 2.0, reg: float = 20.0, seed: int = 0) -> None:
        self.dim = dim
        self.epochs = epochs
        self.alpha = alpha
        self.reg = reg
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Learn from the positives; a pair that occurs twice counts once.

        Raises:
            ValueError: ``reg`` is not above 0 or ``alpha`` is negative.
        """
        if not (self.reg > 0 and self.alpha >= 0):
            raise ValueError(f"reg must be above 0 and alpha not negative, got {self.reg} and {self.alpha}")
        self.train_ = train
        likes = train.positives().matrix()  # [n_users, n_items]
        by_user, by_item = _Rows(likes), _Rows(likes.T.tocsr())
        generator = torch.Generator().manual_seed(self.seed)
        self.user_factors_ = torch.randn(train.n_users, self.dim, generator=generator)
        start = 0.0, self.reg / (1 + self.alpha)  # as weak beside a like's weight of 1 as reg is beside 1 + alpha
        for weights in [start] * START + [(self.alpha, self.reg)] * self.epochs:
            self.item_factors_ = by_item.solve(self.user_factors_, *weights)
            self.user_factors_ = by_user.solve(self.item_factors_, *weights)
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match with every item's vector: int64 ``[batch]`` to float ``[batch, n_items]``.

        With ``history``, a user's vector is solved from these likes as in training.
        """
        return self.user_vectors(users, history) @ self.item_factors_.T

    def user_vectors(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The users' learnt vectors, or those that ``history`` gives them: int64 ``[batch]`` to ``[batch, dim]``."""
        if history is None:
            return self.user_factors_[users]
        rows = _Rows(history.positives().matrix(users))
        return rows.solve(self.item_factors_, self.alpha, self.reg)


class _Rows:
    """One side of the table: which columns each row likes, in blocks of rows that like about as many."""

    def __init__(self, likes: sparse.csr_matrix) -> None:
        self.counts = torch.from_numpy(np.diff(likes.indptr)).long()  # [n_rows]
        self.columns = torch.from_numpy(likes.indices).long()  # [n_likes]
        padded = torch.cat([self.columns, torch.tensor([likes.shape[1]])])
        self.blocks = [(rows, padded[events]) for rows, events in similar_lengths(self.counts)]

    def solve(self, table: Tensor, alpha: float, reg: float) -> Tensor:
        """The best vector of each row while the other side stays ``table``: ``[n, dim]`` to ``[n_rows, dim]``."""
        dim = table.shape[1]
        shared = (table.T @ table).double() + reg * torch.eye(dim)  # [dim, dim], the same for all rows
        inverse = torch.linalg.inv(shared)
        sums = F.embedding_bag(self.columns, table, self.counts.cumsum(0) - self.counts, mode="sum")  # [n_rows, dim]
        if alpha == 0:
            return sums @ inverse.float()
        root, shared = torch.linalg.cholesky(inverse).float(), shared.float()
        table = torch.cat([table, torch.zeros(1, dim)])  # the last row is padding
        rooted, solved = table @ root, torch.zeros_like(sums)
        for rows, columns in self.blocks:  # [batch], [batch, width]
            if columns.shape[1] < dim:
                solved[rows] = _solve_few(F.embedding(columns, rooted), alpha) @ root.T
            else:
                solved[rows] = _solve_many(F.embedding(columns, table), sums[rows], shared, alpha)
        return solved


def _solve_many(x: Tensor, sums: Tensor, shared: Tensor, alpha: float) -> Tensor:
    r"""``[batch, width, dim]`` to ``[batch, dim]``: :math:`(S + \alpha X^\top X)^{-1} (1 + \alpha) X^\top 1`."""
    normal = torch.baddbmm(shared, x.mT, x, alpha=alpha)  # [batch, dim, dim]
    return torch.cholesky_solve((1 + alpha) * sums.unsqueeze(2), torch.linalg.cholesky(normal)).squeeze(2)


def _solve_few(y: Tensor, alpha: float) -> Tensor:
    r"""The same with a smaller system, for rows with fewer likes than ``dim``.

    With :math:`S^{-1} = L L^\top` and :math:`Y = X L` the solution is
    :math:`(1 + \alpha) L Y^\top (I + \alpha Y Y^\top)^{-1} 1`; :math:`L` is left to the caller.
    """
    normal = torch.baddbmm(torch.eye(y.shape[1]), y, y.mT, alpha=alpha)  # [batch, width, width]
    ones = torch.full((*y.shape[:2], 1), 1.0 + alpha)
    return (y.mT @ torch.cholesky_solve(ones, torch.linalg.cholesky(normal))).squeeze(2)
