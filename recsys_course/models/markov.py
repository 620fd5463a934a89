"""A Markov chain: what came right after the same item before."""

from typing import Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.data.sequences import histories


class MarkovChain(Recommender):
    r"""Score an item by how often it followed the user's newest likes.

    .. math:: s_{ui} = \sum_{a=1}^{r} \gamma^{a-1} \frac{c_{h_a i} + \lambda \, p_i}{c_{h_a} + \lambda}

    :math:`h_a` is the user's newest like but :math:`a - 1`; :math:`c_{hi}` counts how often :math:`i` was liked after
    :math:`h`, a like that followed :math:`a` places later counting :math:`\gamma^{a-1}`; :math:`c_h` is the sum over
    all :math:`i`; and :math:`p_i` is the item's share of all likes, towards which rare rows are pulled. With a reach
    of 1 it is the first-order chain: the newest like alone decides. A user without a like gets the shares.

    Source: with personal chains that share their rows, Rendle, Freudenthaler and Schmidt-Thieme, WWW 2010.

    Args:
        reach: :math:`r`, how many of the newest likes decide, and how far a transition may reach.
        decay: :math:`\gamma`, what each further place multiplies the count with.
        smoothing: :math:`\lambda`, how many imagined transitions are spread by popularity.
    """

    def __init__(self, reach: int = 5, decay: float = 0.8, smoothing: float = 20.0) -> None:
        self.reach = reach
        self.decay = decay
        self.smoothing = smoothing

    def fit(self, train: Interactions) -> Self:
        """Count what followed what among the positives.

        Raises:
            ValueError: the reach is below 1, or the smoothing is not above 0.
        """
        if self.reach < 1 or not self.smoothing > 0:
            raise ValueError(f"reach must be at least 1 and smoothing above 0, got {self.reach} and {self.smoothing}")
        self.train_, self.likes_ = train, train.positives()
        self.transitions_ = sum(self._count(gap) for gap in range(1, self.reach + 1))
        shares = self.likes_.item_counts().float()
        self.shares_ = shares / shares.sum().clamp(min=1)  # [n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The formula above: int64 ``[batch]`` to float ``[batch, n_items]``."""
        newest = histories(self.likes_ if history is None else history.positives(), users, self.reach).flip(1)
        scores = torch.zeros(len(users), self.train_.n_items)
        for age, items in enumerate(newest.T):
            scores += self.decay**age * self._following(items)
        nothing = (newest[:, 0] == self.train_.n_items).unsqueeze(1)
        return self.shares_.where(nothing, scores)

    def _count(self, gap: int) -> sparse.csr_matrix:
        """How often each item came this many places after each, discounted: ``[n_items, n_items]``."""
        users, items, n = self.likes_.users.numpy(), self.likes_.items.numpy(), self.likes_.n_items
        same = users[gap:] == users[:-gap]
        pairs = items[:-gap][same], items[gap:][same]
        weights = np.full(len(pairs[0]), self.decay ** (gap - 1), dtype=np.float32)
        return sparse.csr_matrix((weights, pairs), shape=(n, n))

    def _following(self, items: Tensor) -> Tensor:
        """Smoothed shares of what follows each item, 0 after filler: int64 ``[batch]`` to ``[batch, n_items]``."""
        real = (items < self.train_.n_items).unsqueeze(1)
        rows = torch.from_numpy(self.transitions_[items.clamp(max=self.train_.n_items - 1).numpy()].toarray())
        smooth = (rows + self.smoothing * self.shares_) / (rows.sum(dim=1, keepdim=True) + self.smoothing)
        return smooth * real
