"""Bayesian personalised ranking: place a liked item above one that the user did not like."""

from collections.abc import Iterator
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.models.mf import add_rows, shuffled_batches, similar_lengths
from recsys_course.sampling import Negatives
from recsys_course.training import run_epochs

TRIPLES = 256  # a user who is folded in is compared with at least so many items
NEWTON_STEPS = 30


class BPR(Recommender):
    r"""Learn vectors whose match orders a liked item above the others, pair by pair.

    With :math:`s_{ui} = p_u^\top q_i + b_i`, each step takes triples of a user, an item the user likes and one drawn
    uniformly from those the user does not like, and descends

    .. math:: -\log \sigma(s_{ui} - s_{uj})
              + \tfrac{\lambda}{2} (\lVert p_u \rVert^2 + \lVert q_i \rVert^2 + \lVert q_j \rVert^2 + b_i^2 + b_j^2)

    Source: Rendle et al., UAI 2009, arXiv:1205.2618, sections 4 and 5.

    Learnt: ``user_factors_`` ``[n_users, dim]``, ``item_factors_`` ``[n_items, dim]``, ``item_bias_`` ``[n_items]``
    and ``history_``, whose ``loss`` is the mean of the first term. A user without a like, or who likes every item,
    gets the vector 0 and so the biases alone.

    Args:
        dim: length of the vectors.
        epochs: how often the likes are gone through, with a new negative each time.
        learning_rate: how far one triple moves its vectors.
        reg: the penalty :math:`\lambda`.
        batch_size: triples whose gradients are taken together, at most an eighth of all.
        seed: of the first vectors, the order and the negatives.
    """

    def __init__(
        self,
        dim: int = 64,
        epochs: int = 40,
        learning_rate: float = 0.05,
        reg: float = 0.01,
        batch_size: int = 4096,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.reg = reg
        self.batch_size = batch_size
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Learn from the positives; a pair that occurs twice counts once.

        Raises:
            ValueError: the learning rate is so high that training diverges; then the weights of the best epoch are
                kept.
        """
        self.train_, likes = train, train.positives()
        negatives, generator = Negatives(likes), torch.Generator().manual_seed(self.seed)
        users, items = negatives.users, negatives.items  # [n_likes]
        users, items = (ids[negatives.left[users] > 0] for ids in (users, items))
        self._start(users, generator)

        def epoch() -> Iterator[Tensor]:
            others = negatives.draw(users, generator)
            for rows in shuffled_batches(len(users), self.batch_size, generator):
                yield self._step(*(ids.index_select(0, rows) for ids in (users, items, others)))

        weights = {name: getattr(self, name) for name in ("user_factors_", "item_factors_", "item_bias_")}
        epochs = self.epochs if len(users) else 0
        self.history_ = run_epochs(epoch, weights, epochs=epochs, learning_rate=self.learning_rate)
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match with every item plus its bias: int64 ``[batch]`` to float ``[batch, n_items]``.

        With ``history``, a user's vector is the one that minimises the loss of these likes while the items stay as
        they are, each like paired with the same evenly spaced negatives every time.
        """
        p = self.user_factors_[users] if history is None else self._fold_in(history.positives(), users)
        return p @ self.item_factors_.T + self.item_bias_

    def _start(self, users: Tensor, generator: torch.Generator) -> None:
        """Small random vectors, 0 for users without a triple; no bias."""
        learns = torch.bincount(users, minlength=self.train_.n_users) > 0
        self.user_factors_ = 0.1 * torch.randn(len(learns), self.dim, generator=generator) * learns.unsqueeze(1)
        self.item_factors_ = 0.1 * torch.randn(self.train_.n_items, self.dim, generator=generator)
        self.item_bias_ = torch.zeros(self.train_.n_items)

    def _step(self, users: Tensor, items: Tensor, others: Tensor) -> Tensor:
        """Move some triples, each column int64 ``[batch]``, and give their mean loss from before."""
        p = self.user_factors_.index_select(0, users)  # [batch, dim]
        q, n = self.item_factors_.index_select(0, items), self.item_factors_.index_select(0, others)
        b, c = self.item_bias_.index_select(0, items), self.item_bias_.index_select(0, others)  # [batch]
        apart = q - n
        margin = (p * apart).sum(1) + b - c
        push, decay = self.learning_rate * torch.sigmoid(-margin), self.learning_rate * self.reg
        pull = push.unsqueeze(1)  # [batch, 1]; below in place, because memory traffic is what takes the time
        add_rows(self.user_factors_, users, apart.mul_(pull).sub_(p, alpha=decay))
        p.mul_(pull)
        add_rows(self.item_factors_, items, p - q.mul_(decay))
        add_rows(self.item_factors_, others, n.mul_(-decay).sub_(p))
        self.item_bias_.index_add_(0, items, push - decay * b).index_add_(0, others, -push - decay * c)
        return F.softplus(-margin).mean()

    def _fold_in(self, likes: Interactions, users: Tensor) -> Tensor:
        """Vectors of users with these likes, ``[batch, dim]``: one logistic regression a user, 0 without a like."""
        n_triples, items, others = _fixed_triples(Negatives(likes), users)
        none = torch.tensor([len(self.item_factors_)])
        items, others = torch.cat([items, none]), torch.cat([others, none])  # the last triple is padding
        factors = torch.cat([self.item_factors_, torch.zeros(1, self.dim)])
        bias, solved = torch.cat([self.item_bias_, torch.zeros(1)]), torch.zeros(len(users), self.dim)
        for rows, triples in similar_lengths(n_triples):  # [batch], [batch, width]
            i, j = items[triples], others[triples]
            x = F.embedding(i, factors) - F.embedding(j, factors)  # [batch, width, dim]
            solved[rows] = _logistic(x, bias[i] - bias[j], self.reg * n_triples[rows].view(-1, 1, 1))
        return solved


def _fixed_triples(negatives: Negatives, users: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each like of a user in turn with items spread evenly over those not liked, at least ``TRIPLES`` a user.

    Returns:
        Number of triples of each user, int64 ``[batch]``, and one after the other the liked and the other item.
    """
    counts, left = negatives.counts[users], negatives.left[users]
    counts = counts * (left > 0)  # somebody who likes everything has no pair
    n_triples = counts * (TRIPLES / counts.clamp(min=1)).ceil().long()
    place = torch.repeat_interleave(n_triples)  # [n]
    turn = torch.arange(len(place)) - (n_triples.cumsum(0) - n_triples)[place]
    items = negatives.items[negatives.start[users[place]] + turn % counts[place]]
    ranks = ((turn + 0.5) / n_triples[place] * left[place]).long()
    return n_triples, items, negatives.at(users[place], ranks)


def _logistic(x: Tensor, offset: Tensor, penalty: Tensor) -> Tensor:
    r"""Minimise :math:`-\sum \log \sigma(x p + o) + \tfrac{c}{2} \lVert p \rVert^2` for each of a batch.

    Newton steps with :math:`X^\top X / 4`, which is never less than the curvature, so that no step goes up: one matrix
    serves all steps. Source: Böhning and Lindsay, AISM 40, 1988.

    Args:
        x: float ``[batch, width, dim]``; a row of zeros is padding.
        offset: :math:`o`, float ``[batch, width]``.
        penalty: :math:`c`, float ``[batch, 1, 1]``.

    Returns:
        Float ``[batch, dim]``.
    """
    curvature = x.mT @ x / 4 + (penalty + 1e-3) * torch.eye(x.shape[2])  # [batch, dim, dim]
    root, p = torch.linalg.cholesky(curvature), torch.zeros(len(x), x.shape[2], 1)
    for _ in range(NEWTON_STEPS):
        gradient = x.mT @ torch.sigmoid(-(x @ p) - offset.unsqueeze(2)) - penalty * p
        p += torch.cholesky_solve(gradient, root)
    return p.squeeze(2)
