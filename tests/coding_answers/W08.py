"""With SciPy's logsumexp, which takes weights of 0 for what is masked."""

import numpy as np
from scipy.special import logsumexp


def in_batch_loss(users, items, item_ids, log_q=None, temperature=1.0, known=None):
    n = len(users)
    if temperature <= 0 or (log_q is not None and np.shape(log_q) != (n,)):
        raise ValueError("wrong temperature or log_q")
    scores = np.einsum("id,jd->ij", users, items, dtype=float) / temperature
    scores -= 0.0 if log_q is None else np.reshape(log_q, (1, n))
    takes_part = np.not_equal.outer(item_ids, item_ids)
    if known is not None:
        takes_part &= ~known
    takes_part |= np.eye(n, dtype=bool)
    return float(np.mean(logsumexp(np.where(takes_part, scores, -np.inf), axis=1) - np.diag(scores)))
