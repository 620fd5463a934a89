"""One way to write W07: softplus, rejection with an exact end, three rows."""

import numpy as np

RETRIES = 32


def bpr_loss(targets: np.ndarray, negatives: np.ndarray) -> float:
    """The mean of -log sigmoid(target - negative) over pairs of scores, both ``[n]``."""
    difference = np.asarray(targets, dtype=float) - np.asarray(negatives, dtype=float)
    return float(np.logaddexp(0.0, -difference).mean())


def sample_negative(rng: np.random.Generator, positives: set[int], n_items: int) -> int:
    """An item that is not in ``positives``, each equally likely."""
    for _ in range(RETRIES):
        item = int(rng.integers(n_items)) if n_items else 0
        if item not in positives:
            break
    else:
        left = [item for item in range(n_items) if item not in positives]
        if not left:
            raise ValueError(f"all {n_items} items are positives: there is no negative to draw")
        item = left[int(rng.integers(len(left)))]
    return item


def bpr_update(
    users: np.ndarray, items: np.ndarray, user: int, target: int, negative: int, lr: float = 0.05, reg: float = 0.01
) -> float:
    """One step for one triple, in place."""
    if target == negative:
        raise ValueError(f"item {target} cannot be both target and negative")
    mine, better, worse = users[user].copy(), items[target].copy(), items[negative].copy()
    difference = float(mine @ (better - worse))
    slope = np.exp(-np.logaddexp(0.0, difference))  # sigmoid(-difference)
    users[user] += lr * (slope * (better - worse) - reg * mine)
    items[target] += lr * (slope * mine - reg * better)
    items[negative] += lr * (-slope * mine - reg * worse)
    return float(np.logaddexp(0.0, -difference))
