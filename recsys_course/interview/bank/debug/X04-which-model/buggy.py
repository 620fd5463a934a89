"""Chooses the retrieval model that goes into the A/B test, by the last purchase of each user."""

import numpy as np

RIVALS = 100


def held_out_ranks(scores: np.ndarray, owned: np.ndarray, bought: np.ndarray) -> np.ndarray:
    """Place of each user's held-out purchase, 1 is best; what the user owned before takes no place.

    A rival with the same score counts half a place.

    Args:
        scores: float ``[n_users, n_items]``.
        owned: before the held-out purchase, bool ``[n_users, n_items]``.
        bought: the held-out item of each user, int ``[n_users]``.
    """
    rng = np.random.default_rng(0)
    ranks = np.empty(len(scores))
    for user, item in enumerate(bought):
        others = np.flatnonzero(~owned[user])
        others = others[others != item]
        rivals = scores[user, rng.choice(others, RIVALS, replace=False)]
        ranks[user] = 1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2
    return ranks


def hit_rate(ranks: np.ndarray, k: int = 10) -> float:
    """Share of the purchases among the first k."""
    return float((ranks <= k).mean())


def ndcg(ranks: np.ndarray, k: int = 10) -> float:
    """NDCG at k of lists with one right item."""
    return float(np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0).mean())


def served_list(scores: np.ndarray, owned: np.ndarray, k: int = 10) -> np.ndarray:
    """The k items that the service shows to each user, in no order: int ``[n_users, k]``."""
    return np.argpartition(-np.where(owned, -np.inf, scores), k, axis=1)[:, :k]


def symptom() -> None:
    """Two models on 200 users and 10,000 items, and what the service would have shown."""
    rng = np.random.default_rng(7)
    users, bought = np.arange(200), rng.integers(10_000, size=200)
    owned = rng.random((200, 10_000)) < 0.002
    owned[users, bought] = False
    places = {"A": np.full(200, 100), "B": np.where(users % 2 == 0, 1, 5_000)}
    for name, place in places.items():
        scores = np.where(owned, 2.0, 0.0) + rng.random((200, 10_000))
        new = np.sort(np.where(owned, -1.0, scores), axis=1)[:, ::-1]
        scores[users, bought] = new[users, place - 1] + 1e-9
        ranks = held_out_ranks(scores, owned, bought)
        print(f"model {name}: hit rate@10 {hit_rate(ranks):.3f}, NDCG@10 {ndcg(ranks):.3f}", end="; ")
        caught = (served_list(scores, owned) == bought[:, None]).any(axis=1)
        print(f"the ten items served: {caught.sum()} hits in 200")
