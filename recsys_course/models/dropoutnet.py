"""ID dropout: a network is trained to do without the vectors that new users and items do not have."""

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.base import Recommender, device
from recsys_course.data.interactions import Interactions
from recsys_course.models.ials import IALS
from recsys_course.training import History, seeded, train

HIDDEN, USERS, ITEMS = 128, 64, 512  # width of the hidden layer; users and items in a step


class DropoutNet(Recommender):
    r"""Reproduce the scores of a factorisation, with some of its vectors missing.

    .. math:: s_{ui} = g(m_u p_u)^\top f(m_i q_i, x_i) \approx p_u^\top q_i

    In training the vector of a user or item is replaced by 0 with probability ``dropout``, :math:`m = 0`, and the
    score must come out all the same: from the description :math:`x_i`, and for a user without a history from what is
    true on average. So a cold item, whose vector is 0, is nothing new to the network, and an item that becomes known
    moves on without a change of model. Source: Volkovs, Yu and Poutanen, NeurIPS 2017, whose users have descriptions
    as well.

    Args:
        features: what is known about each item, float ``[n_items, n_features]``.
        dropout: how often a vector is missing in training, 0 to 1.
        dim: length of the vectors.
        epochs: how often the users are gone through.
        learning_rate: of AdamW.
        reg: of the factorisation, as in ``IALS``.
        seed: decides the first weights, what is missing and all orders.
    """

    def __init__(
        self,
        features: Tensor,
        dropout: float = 0.5,
        dim: int = 64,
        epochs: int = 10,
        learning_rate: float = 1e-3,
        reg: float = 20.0,
        seed: int = 0,
    ) -> None:
        self.features = features
        self.dropout = dropout
        self.dim = dim
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.reg = reg
        self.seed = seed

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Factorise the likes and train the two networks on the users and items that have any.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each epoch.
            **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``training.run_epochs``.

        Raises:
            ValueError: the features do not fit the items, ``dropout`` is no probability, or training diverges.
        """
        if self.features.ndim != 2 or len(self.features) != train.n_items or not self.features.isfinite().all():
            raise ValueError(f"features must be finite, [{train.n_items}, n_features]; got {list(self.features.shape)}")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout must lie in 0 to 1, got {self.dropout}")
        self.train_ = train
        self.base_ = IALS(self.dim, reg=self.reg, seed=self.seed).fit(train)
        with seeded(self.seed):
            self.towers_ = _Towers(self.base_, self.features).to(device())
        self.history_ = self._learn(score, options) if len(train.positives()) else History()
        return self

    @torch.no_grad()
    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match of both networks' vectors; a user without a like is nobody in particular: ``[batch, n_items]``."""
        own = self.base_.user_vectors(users, self.train_ if history is None else history)
        items = torch.arange(self.train_.n_items, device=device())
        return (self.towers_.users(own.to(device())) @ self.towers_.items(items).T).float().cpu()

    def _learn(self, score: Callable[[], float] | None, options: dict) -> History:
        towers, generator = self.towers_, torch.Generator().manual_seed(self.seed)
        users = self.base_.user_factors_.to(device())
        warm = (self.train_.positives().item_counts() > 0).nonzero()[:, 0]
        n_items = min(ITEMS, len(warm))
        scale = float((users @ towers.own.T).std(correction=0)) or 1.0

        def kept(n: int) -> Tensor:
            return (torch.rand(n, 1, generator=generator) >= self.dropout).to(device())

        def loss(batch: Tensor) -> Tensor:
            items = warm[torch.randint(len(warm), (n_items,), generator=generator)].to(device())
            targets = users[batch] @ towers.own[items].T / scale  # [batch, n_items]
            rows = towers.users(users[batch] * kept(len(batch)))
            return F.mse_loss((rows @ towers.items(items, kept(n_items)).T).float(), targets)

        return train(
            towers,
            loss,
            lambda: torch.randperm(len(users), generator=generator).to(device()).split(USERS),
            optimizer=torch.optim.AdamW(towers.parameters(), lr=self.learning_rate),
            epochs=self.epochs,
            generator=generator,
            score=score,
            **options,
        )


class _Towers(nn.Module):
    """The two networks, the items' own vectors and what is known about the items."""

    def __init__(self, base: IALS, features: Tensor) -> None:
        super().__init__()
        self.register_buffer("own", base.item_factors_, persistent=False)
        self.register_buffer("features", features.float(), persistent=False)
        spread = torch.stack([base.user_factors_.std(correction=0), base.item_factors_.std(correction=0)]).clamp(
            min=1e-6
        )
        self.register_buffer("spread", spread, persistent=False)  # so that both inputs are of the size of 1
        self.user, self.item = (_layers(width, base.dim) for width in (base.dim, base.dim + features.shape[1]))

    def users(self, own: Tensor) -> Tensor:
        """From the users' vectors, zeros where there is none: float ``[batch, dim]`` to ``[batch, dim]``."""
        return self.user(own / self.spread[0])

    def items(self, items: Tensor, kept: Tensor | float = 1.0) -> Tensor:
        """From the items' vectors where ``kept``, bool ``[n, 1]``, and their descriptions: ``[n, dim]``."""
        return self.item(torch.cat([self.own[items] * kept / self.spread[1], self.features[items]], dim=1))


def _layers(width: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, dim))
