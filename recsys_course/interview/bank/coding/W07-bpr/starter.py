"""W07: BPR."""

import numpy as np


def bpr_loss(targets: np.ndarray, negatives: np.ndarray) -> float:
    """The mean of -log sigmoid(target - negative) over pairs of scores, both ``[n]``."""
    raise NotImplementedError


def sample_negative(rng: np.random.Generator, positives: set[int], n_items: int) -> int:
    """An item that is not in ``positives``, each equally likely.

    Raises:
        ValueError: there is none.
    """
    raise NotImplementedError


def bpr_update(
    users: np.ndarray, items: np.ndarray, user: int, target: int, negative: int, lr: float = 0.05, reg: float = 0.01
) -> float:
    """One step for one triple, in place.

    Args:
        users: vectors, float ``[n_users, k]``.
        items: vectors, float ``[n_items, k]``.
        user: a row of ``users``.
        target: the item that was liked, a row of ``items``.
        negative: the item that was not.
        lr: step length.
        reg: weight of the penalty.

    Returns:
        The loss of the pair before the step, without the penalty.

    Raises:
        ValueError: ``target`` and ``negative`` are the same item.
    """
    raise NotImplementedError
