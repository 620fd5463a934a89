"""GF-CF: what a graph network does to the likes, written down in closed form and without training."""

from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.training import seeded

SPARE = 32  # more columns than wanted make the last ones of a randomised decomposition exact


class GFCF(Recommender):
    r"""Smooth a user's likes over the graph of items: one step to the neighbours, plus the graph's broadest patterns.

    With the table of likes :math:`R`, its normalised form :math:`\tilde R = D_U^{-1/2} R D_I^{-1/2}` and the first
    ``rank`` right singular vectors :math:`V` of :math:`\tilde R`,

    .. math:: S = R \left( \tilde R^\top \tilde R + \alpha \, D_I^{-1/2} V V^\top D_I^{1/2} \right)

    A user or item without a like has degree 0 and counts as degree 1; its row or column is zeros, so that such a user
    gets all scores 0 and the items in their order. Source: Shen et al., CIKM 2021, arXiv:2108.07567,
    section 5.

    Learnt: ``normalised_``, CSR ``[n_users, n_items]``; ``patterns_``, :math:`V`, ``[n_items, rank]``; ``degrees_``
    of the items, at least 1, ``[n_items]``.

    Args:
        rank: number of patterns, at most the smaller side of the table.
        alpha: how much they count, :math:`\alpha`.
        seed: of the randomised singular value decomposition.
    """

    def __init__(self, rank: int = 64, alpha: float = 0.3, seed: int = 0) -> None:
        self.rank = rank
        self.alpha = alpha
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Decompose the normalised likes; a pair that occurs twice counts once.

        Raises:
            ValueError: ``rank`` is below 1.
        """
        if self.rank < 1:
            raise ValueError(f"rank must be at least 1, got {self.rank}")
        self.train_, self.likes_ = train, train.positives()
        table = self.likes_.matrix()
        users, items = (np.maximum(table.getnnz(axis=side), 1).astype(np.float32) for side in (1, 0))
        self.degrees_ = torch.from_numpy(items)
        self.normalised_ = sparse.diags_array(users**-0.5) @ table @ sparse.diags_array(items**-0.5)
        width = min(self.rank + SPARE, *table.shape)
        with seeded(self.seed):
            *_, right = torch.svd_lowrank(_tensor(self.normalised_), width, niter=6)
        self.patterns_ = right[:, : self.rank]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The likes after both filters: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = (self.likes_ if history is None else history.positives()).matrix(users)  # [batch, n_items]
        near = torch.from_numpy((likes @ self.normalised_.T @ self.normalised_).toarray())
        scale = self.degrees_.sqrt()
        broad = torch.from_numpy(likes @ (self.patterns_ / scale.unsqueeze(1)).numpy()) @ self.patterns_.T * scale
        return near + self.alpha * broad


def _tensor(table: sparse.csr_array) -> Tensor:
    """The same as a sparse tensor of torch."""
    table = table.tocoo()
    places = torch.from_numpy(np.stack([table.row, table.col]).astype(np.int64))
    return torch.sparse_coo_tensor(places, torch.from_numpy(table.data), table.shape, check_invariants=True).coalesce()
