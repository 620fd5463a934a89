"""EASE: a linear item-item model with a closed form, and a baseline that is hard to beat."""

from typing import Self

import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender, check_memory, device
from recsys_course.data.interactions import Interactions

BLOCK = 512  # items counted at a time
PRECISE = 1e-3  # float32 is enough while the relative error of the inverse stays below


class EASE(Recommender):
    r"""Predict each item from all the others by ridge regression.

    With :math:`P = (X^\top X + \lambda I)^{-1}`, the weights are :math:`B_{ij} = -P_{ij} / P_{jj}` and
    :math:`B_{jj} = 0`. Source: Steck, WWW 2019, arXiv:1905.03375, equation 8.

    Args:
        reg: the ridge penalty :math:`\lambda`, above 0.
    """

    def __init__(self, reg: float = 200.0) -> None:
        self.reg = reg

    def fit(self, train: Interactions) -> Self:
        """Invert one dense matrix: memory grows with ``n_items ** 2``, time with ``n_items ** 3``.

        Raises:
            ValueError: ``reg`` is not above 0 or too small, or the matrix does not fit in the memory that is free.
        """
        if not self.reg > 0:
            raise ValueError(f"EASE needs reg above 0, got {self.reg}: without it the matrix has no inverse")
        check_memory(12 * train.n_items**2, f"EASE on {train.n_items:,} items")  # three float32 matrices at the peak
        self.train_ = train
        self.likes_ = train.positives()
        gram = self._gram().to(device())  # [n_items, n_items]
        gram.diagonal().add_(self.reg)
        root, failed = torch.linalg.cholesky_ex(gram)
        if failed:
            raise ValueError(f"EASE with reg {self.reg:g} has no inverse on these events: take a larger reg")
        inverse = torch.cholesky_inverse(root)
        self.weights_ = inverse.div_(-inverse.diagonal()).fill_diagonal_(0).float().cpu()  # [n_items, n_items]
        return self

    def _gram(self) -> Tensor:
        """How many users like both items, ``[n_items, n_items]``; float64 where float32 would spoil the inverse."""
        gram = likes_together(self.likes_.matrix())
        condition = 1 + float(gram.sum(dim=1).max()) / self.reg  # at most, by Gershgorin's circles
        if condition * torch.finfo(torch.float32).eps < PRECISE:
            return gram
        check_memory(24 * self.train_.n_items**2, f"EASE on {self.train_.n_items:,} items with reg {self.reg:g}")
        return gram.double()

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Sum of the weights from the user's liked items: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        return torch.from_numpy(likes.matrix(users) @ self.weights_.numpy())


def likes_together(likes: sparse.csr_matrix) -> Tensor:
    """How many users like both items, float32 ``[n_items, n_items]``, from likes, CSR ``[n_users, n_items]``.

    Each row is a sum of the rows of its users, some columns of the table at a time: a sparse product would count the
    same pairs, but one by one.
    """
    columns, n_items = likes.tocsc(), likes.shape[1]
    users, offsets = torch.from_numpy(columns.indices), torch.from_numpy(columns.indptr)
    gram = torch.empty(n_items, n_items)
    for start in range(0, n_items, BLOCK):
        table = torch.from_numpy(columns[:, start : start + BLOCK].toarray(order="C"))  # [n_users, BLOCK]
        sums = F.embedding_bag(users, table, offsets, mode="sum", include_last_offset=True)
        gram[:, start : start + BLOCK] = sums
    return gram
