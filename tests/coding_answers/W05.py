"""With Python's own arithmetic for the step."""

import math

import numpy as np


class BiasedMF:
    def __init__(self, n_users, n_items, dim, lr=0.01, reg=0.02, low=1.0, high=5.0, seed=0):
        self.options = lr, reg, low, high
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.item_factors = 0.1 * self.rng.standard_normal((n_items, dim))
        self.user_factors = 0.1 * self.rng.standard_normal((n_users, dim))
        self.user_bias, self.item_bias = np.zeros(n_users), np.zeros(n_items)
        self.mean_, self.seen = 0.0, (frozenset(), frozenset())

    def update(self, user, item, rating):
        lr, reg, _, _ = self.options
        p, q = self.user_factors[user] * 1.0, self.item_factors[item] * 1.0
        error = float(rating) - (self.mean_ + self.user_bias[user] + self.item_bias[item] + p.dot(q))
        for table, row, slope in (
            (self.user_bias, user, error),
            (self.item_bias, item, error),
            (self.user_factors, user, error * q),
            (self.item_factors, item, error * p),
        ):
            table[row] = table[row] * (1 - lr * reg) + lr * slope
        return float(error)

    def fit(self, users, items, ratings, epochs):
        triples = list(zip(users, items, ratings, strict=True))
        self.mean_ = float(sum(ratings) / len(ratings)) if triples else 0.0
        self.seen = frozenset(map(int, users)), frozenset(map(int, items))
        with np.errstate(all="ignore"):
            for _ in range(epochs):
                order = list(range(len(triples)))
                self.rng.shuffle(order)
                for place in order:
                    if not math.isfinite(self.update(*triples[place])):
                        raise FloatingPointError("diverged")
        return self

    def predict(self, user, item):
        total, known = self.mean_, (user in self.seen[0], item in self.seen[1])
        total += self.user_bias[user] if known[0] else 0.0
        total += self.item_bias[item] if known[1] else 0.0
        total += self.user_factors[user].dot(self.item_factors[item]) if all(known) else 0.0
        return float(np.clip(total, self.options[2], self.options[3]))
