"""W01: NDCG at k, ties included."""

from collections.abc import Sequence


def ndcg_at_k(relevance: Sequence[float], scores: Sequence[float], k: int, gain: str = "exponential") -> float:
    """Normalised discounted gain of the k items with the highest scores.

    Args:
        relevance: grade of each item, 0 is not relevant.
        scores: the model's score of each item; higher is better.
        k: length of the list.
        gain: "exponential" or "linear".

    Returns:
        A float from 0 to 1, NaN without a relevant item.
    """
    raise NotImplementedError
