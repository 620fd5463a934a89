"""EASE: a linear item-item model with a closed form, and a baseline that is hard to beat."""

from typing import Self

import torch
from torch import Tensor

from recsys_course.base import Recommender, device
from recsys_course.data.interactions import Interactions


class EASE(Recommender):
    r"""Predict each item from all the others by ridge regression.

    With :math:`P = (X^\top X + \lambda I)^{-1}`, the weights are :math:`B_{ij} = -P_{ij} / P_{jj}` and
    :math:`B_{jj} = 0`. Source: Steck, WWW 2019, arXiv:1905.03375, equation 8.

    Args:
        reg: the ridge penalty :math:`\lambda`.
    """

    def __init__(self, reg: float = 200.0) -> None:
        self.reg = reg

    def fit(self, train: Interactions) -> Self:
        """Invert one dense matrix: ``8 * n_items ** 2`` bytes, and time that grows with ``n_items ** 3``."""
        self.train_ = train
        self.likes_ = train.positives()
        likes = self.likes_.matrix()  # [n_users, n_items]
        gram = torch.from_numpy((likes.T @ likes).toarray()).double().to(device())  # [n_items, n_items]
        inverse = torch.linalg.inv(gram + self.reg * torch.eye(train.n_items, device=gram.device))
        self.weights_ = (-inverse / inverse.diagonal()).fill_diagonal_(0).float().cpu()  # [n_items, n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Sum of the weights from the user's liked items: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        return torch.from_numpy(likes.matrix(users) @ self.weights_.numpy())
