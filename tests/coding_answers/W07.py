"""With log1p, and draws from the rest by its rank."""

import math

import numpy as np


def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def bpr_loss(targets, negatives):
    return sum(_softplus(float(n) - float(t)) for t, n in zip(targets, negatives, strict=True)) / len(targets)


def sample_negative(rng, positives, n_items):
    mine = sorted(item for item in positives if item < n_items)
    if len(mine) >= n_items:
        raise ValueError("nothing to draw")
    rank = int(rng.integers(n_items - len(mine)))
    for item in mine:
        rank += item <= rank
    return rank


def bpr_update(users, items, user, target, negative, lr=0.05, reg=0.01):
    if target == negative:
        raise ValueError("one item twice")
    p, i, j = np.array(users[user]), np.array(items[target]), np.array(items[negative])
    x = float(p @ i) - float(p @ j)
    pull = lr * math.exp(-_softplus(x))
    users[user] = p * (1 - lr * reg) + pull * (i - j)
    items[target] = i * (1 - lr * reg) + pull * p
    items[negative] = j * (1 - lr * reg) - pull * p
    return _softplus(-x)
