"""With NumPy: the mean gain of each group of equal scores, spread over its ranks."""

import numpy as np


def ndcg_at_k(relevance, scores, k, gain="exponential"):
    grades, scores = np.array(relevance, dtype=float), np.array(scores, dtype=float)
    if grades.shape != scores.shape or k <= 0 or (grades < 0).any():
        raise ValueError("wrong arguments")
    gains = {"exponential": 2**grades - 1, "linear": grades}.get(gain)
    if gains is None:
        raise ValueError("no such gain")
    if not gains.sum():
        return float("nan")
    discounts = np.where(np.arange(len(gains)) < k, 1 / np.log2(np.arange(len(gains)) + 2), 0)
    _, group, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=gains) / counts
    return float((np.repeat(means, counts) * discounts).sum() / (np.sort(gains)[::-1] * discounts).sum())
