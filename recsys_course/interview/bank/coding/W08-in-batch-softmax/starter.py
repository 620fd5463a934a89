"""W08: in-batch sampled softmax."""

import numpy as np


def in_batch_loss(
    users: np.ndarray,
    items: np.ndarray,
    item_ids: np.ndarray,
    log_q: np.ndarray | None = None,
    temperature: float = 1.0,
    known: np.ndarray | None = None,
) -> float:
    """Mean cross-entropy of each row's own item against the items of the batch.

    Args:
        users: float ``[batch, dim]``.
        items: the vector of the item that each user liked, float ``[batch, dim]``.
        item_ids: that item, int ``[batch]``.
        log_q: natural logarithm of how often the row's item is drawn, float ``[batch]``.
        temperature: divides the inner products.
        known: whether the user of row i likes the item of row j, bool ``[batch, batch]``.
    """
    raise NotImplementedError
