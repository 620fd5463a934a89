"""One way to write W05: a step on copies of the old rows, and flags for what has a rating."""

from collections.abc import Sequence
from typing import Self

import numpy as np


class BiasedMF:
    """Ratings as mean, two biases and an inner product."""

    def __init__(
        self,
        n_users: int,
        n_items: int,
        dim: int,
        lr: float = 0.01,
        reg: float = 0.02,
        low: float = 1.0,
        high: float = 5.0,
        seed: int = 0,
    ) -> None:
        self.lr, self.reg, self.low, self.high = lr, reg, low, high
        self.generator = np.random.default_rng(seed)
        self.mean_ = 0.0
        self.user_bias, self.item_bias = np.zeros(n_users), np.zeros(n_items)
        self.user_factors = self.generator.normal(0, 0.1, (n_users, dim))
        self.item_factors = self.generator.normal(0, 0.1, (n_items, dim))
        self.known_users, self.known_items = set(), set()

    def update(self, user: int, item: int, rating: float) -> float:
        """Take one step for one rating; returns the error before it."""
        mine, its = self.user_factors[user].copy(), self.item_factors[item].copy()
        error = float(rating - self.mean_ - self.user_bias[user] - self.item_bias[item] - mine @ its)
        self.user_bias[user] += self.lr * (error - self.reg * self.user_bias[user])
        self.item_bias[item] += self.lr * (error - self.reg * self.item_bias[item])
        self.user_factors[user] += self.lr * (error * its - self.reg * mine)
        self.item_factors[item] += self.lr * (error * mine - self.reg * its)
        return error

    def fit(self, users: Sequence[int], items: Sequence[int], ratings: Sequence[float], epochs: int) -> Self:
        """Set ``mean_`` and call `update` for every rating in every epoch, in a new order each time."""
        self.mean_ = float(np.mean(ratings)) if len(ratings) else 0.0
        self.known_users, self.known_items = {int(u) for u in users}, {int(i) for i in items}
        for _ in range(epochs):
            for place in self.generator.permutation(len(ratings)):
                with np.errstate(over="ignore", invalid="ignore"):
                    error = self.update(users[place], items[place], ratings[place])
                if not np.isfinite(error):
                    raise FloatingPointError(f"the error is {error}: lower the learning rate, {self.lr}")
        return self

    def predict(self, user: int, item: int) -> float:
        """The rating, clipped to ``low`` and ``high``; what is unknown adds nothing."""
        rating, has_user, has_item = self.mean_, user in self.known_users, item in self.known_items
        if has_user:
            rating += self.user_bias[user]
        if has_item:
            rating += self.item_bias[item]
        if has_user and has_item:
            rating += self.user_factors[user] @ self.item_factors[item]
        return float(min(max(rating, self.low), self.high))
