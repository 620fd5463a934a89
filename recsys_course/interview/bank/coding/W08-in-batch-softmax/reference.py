"""One way to write W08: mask with minus infinity, then a stable log-sum-exp."""

import numpy as np


def in_batch_loss(
    users: np.ndarray,
    items: np.ndarray,
    item_ids: np.ndarray,
    log_q: np.ndarray | None = None,
    temperature: float = 1.0,
    known: np.ndarray | None = None,
) -> float:
    """Mean cross-entropy of each row's own item against the items of the batch."""
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    scores = users.astype(float) @ items.astype(float).T / temperature  # [batch, batch]
    if log_q is not None:
        if np.shape(log_q) != (len(users),):
            raise ValueError(f"log_q must have one value for each of {len(users)} rows, got {np.shape(log_q)}")
        scores = scores - np.asarray(log_q)
    skip = item_ids[:, None] == item_ids  # [batch, batch]
    if known is not None:
        skip = skip | known
    skip[np.diag_indices(len(users))] = False
    own = scores.diagonal()
    scores = np.where(skip, -np.inf, scores)
    largest = scores.max(axis=1)
    total = largest + np.log(np.exp(scores - largest[:, None]).sum(axis=1))
    return float((total - own).mean())
