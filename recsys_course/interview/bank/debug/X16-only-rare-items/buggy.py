"""In-batch softmax of the retrieval model, with the correction for how often an item is a negative."""

import numpy as np


def batch_loss(scores: np.ndarray, items: np.ndarray, log_q: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy of each row's own item against the items of the batch, and its gradient in the scores.

    Args:
        scores: of the user of each row for the item of each column, float ``[batch, batch]``; own on the diagonal.
        items: the item of each column, int ``[batch]``.
        log_q: logarithm of each item's share of the rows, float ``[n_items]``.
    """
    own = np.arange(len(items))
    logits = scores + log_q[items]
    logits = logits - logits.max(axis=1, keepdims=True)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = chances.copy()
    gradient[own, own] -= 1.0
    return float(-np.log(chances[own, own]).mean()), gradient / len(items)


def train(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int, steps: int = 3_000) -> np.ndarray:
    """A score for each pair of user and item, learnt from choices in batches of 64: float ``[n_users, n_items]``."""
    rng, table = np.random.default_rng(0), np.zeros((n_users, n_items))
    log_q = np.log(np.maximum(np.bincount(items, minlength=n_items), 0.5) / len(items))
    for step in range(steps):
        drawn = rng.integers(len(users), size=64)
        user, item = users[drawn], items[drawn]
        _, gradient = batch_loss(table[user[:, None], item], item, log_q)
        np.add.at(table, (user[:, None], item), -8.0 * (1 - step / steps) * gradient)
    return table


def recommend(table: np.ndarray, k: int = 10) -> np.ndarray:
    """The k items with the best scores for each user, best first: int ``[n_users, k]``."""
    return np.argsort(-table, axis=1, kind="stable")[:, :k]


def symptom() -> None:
    """Users whose tastes are known, and a batch whose scores are perfect."""
    rng = np.random.default_rng(1)
    taste = np.exp(rng.normal(size=(20, 50)) - 1.2 * np.log(np.arange(1, 51)))
    taste /= taste.sum(axis=1, keepdims=True)
    users = rng.integers(20, size=40_000)
    items = (taste.cumsum(axis=1)[users] < rng.random((40_000, 1))).sum(axis=1)
    rare = np.argsort(np.argsort(-np.bincount(items, minlength=50))) >= 10
    for name, lists in (("learnt", recommend(train(users, items, 20, 50))), ("by true taste", recommend(taste))):
        caught = np.take_along_axis(taste, lists, axis=1).sum(axis=1).mean()
        print(
            f"lists {name}: {rare[lists].mean():.0%} of the places for rare items, {caught:.0%} of the choices caught"
        )
    for batch in (np.arange(8), np.array([0, 0, 0, 0, 1, 2, 3, 4])):
        loss, _ = batch_loss(30.0 * (batch[:, None] == batch), batch, np.zeros(8))
        print(f"perfect scores for a batch of items {batch}: loss {loss:.2f}")
